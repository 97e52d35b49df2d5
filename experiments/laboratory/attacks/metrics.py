"""How well pictures were reconstructed: PSNR, and whether they give away which picture it was.

Seen and unseen pixels are never averaged: each figure is of the pixels named, or of the whole.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.pictures import Pictures, Seen

Scores = npt.NDArray[np.float64]
"""One figure per picture, (n,)."""

CANDIDATES: Final = 1000
"""Pictures among which the true one has to rank first."""
CHUNK: Final = 256
"""Pictures at a time."""
_ROUNDING: Final = 1e-6
"""Distances are so exact at best, in parts of the two pictures' squared lengths."""


def psnr(reconstructed: Pictures, truth: Pictures, where: Seen | None = None) -> Scores:
    """Return the peak signal-to-noise ratio of each picture in decibels, on pixels or the whole.

    The peak is 1; without any error it is infinite, on no pixel not a number.
    """
    if where is not None and not where.any():
        return np.full(len(truth), np.nan)
    apart = np.square(reconstructed - truth).mean(axis=-1)
    errors = apart.reshape(len(apart), -1) if where is None else apart[:, where]
    with np.errstate(divide="ignore"):
        return np.asarray(-10 * np.log10(errors.mean(axis=1, dtype=np.float64)))


def identification(
    reconstructed: Pictures,
    truth: Pictures,
    gallery: Pictures,
    unseen: Seen,
    rng: np.random.Generator,
    candidates: int = CANDIDATES,
) -> npt.NDArray[np.int64]:
    """Return at which rank, from 1, each reconstruction has its true picture among candidates.

    The others are drawn from ``gallery``, (m, side, side, 3), which may hold the truth itself: no
    picture is drawn that is the true one byte for byte. Distance is the mean squared error on
    ``unseen``. Ties, and what rounding cannot tell from them, count against the attacker, so that
    a reconstruction that says nothing is never first. Attack success ID-ASR@1 is the part with
    rank 1, by chance 1 / ``candidates``: of guesses that know nothing of the gallery, for one that
    is another picture of it is never first where that is drawn. Raises `ValueError` where no pixel
    is unseen, or the gallery has too few others.
    """
    if not unseen.any():
        raise ValueError("unseen: no pixel is; who sees the whole picture has nothing to guess")
    drawn = _drawn(truth, gallery, rng, candidates - 1)
    centre = gallery[:, unseen].mean(axis=0, dtype=np.float64).astype(np.float32)
    others = _rows(gallery, unseen, centre)
    ranks = np.empty(len(truth), np.int64)
    for first in range(0, len(truth), CHUNK):
        part = slice(first, first + CHUNK)
        guessed, true = (_rows(each[part], unseen, centre) for each in (reconstructed, truth))
        ranks[part] = 1 + _not_farther(guessed, true, others, drawn[part]).sum(axis=1)
    return ranks


Rows = npt.NDArray[np.float32]


def _rows(pictures: Pictures, where: Seen, centre: npt.NDArray[np.float32]) -> Rows:
    """Return the chosen pixels of each less the gallery's mean: shorter, so rounding is less."""
    return np.asarray((pictures[:, where] - centre).reshape(len(pictures), -1))


def _drawn(
    truth: Pictures, gallery: Pictures, rng: np.random.Generator, count: int
) -> npt.NDArray[np.int64]:
    """Return which pictures of the gallery each is to be told from, (n, count)."""
    same: dict[bytes, list[int]] = {}
    for place, picture in enumerate(gallery):
        same.setdefault(picture.tobytes(), []).append(place)
    drawn = np.empty((len(truth), count), np.int64)
    for row, picture in zip(drawn, truth, strict=True):
        others = np.delete(np.arange(len(gallery)), same.get(picture.tobytes(), []))
        if len(others) < count:
            raise ValueError(
                f"gallery: {len(others)} pictures beside the true one are fewer than {count}; "
                "draw more, or give fewer candidates"
            )
        row[:] = rng.choice(others, count, replace=False)
    return drawn


def _not_farther(
    guessed: Rows, true: Rows, others: Rows, drawn: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which of the pictures drawn are as near to a guess as the true one, (n, count)."""
    own = ((guessed - true) ** 2).sum(axis=1, dtype=np.float64)[:, None]
    lengths = (others**2).sum(axis=1, dtype=np.float64)[drawn]
    length = (guessed**2).sum(axis=1, dtype=np.float64)[:, None]
    products = np.take_along_axis(guessed @ others.T, drawn, axis=1).astype(np.float64)
    return np.asarray(length + lengths - 2 * products <= own + _ROUNDING * (length + lengths))
