"""One attack on one view: fitted, carried out on pictures it has never met, and counted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.metrics import identification, psnr
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.similarity import ssim
from experiments.laboratory.attacks.statistics import proportion
from experiments.laboratory.attacks.thresholds import Thresholds
from experiments.laboratory.attacks.views import Views


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """What one coalition held of each split, and the pictures themselves."""

    known: tuple[Views, Pictures]
    validation: tuple[Views, Pictures]
    attacked: tuple[Views, Pictures]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attack did on ``pictures``.

    ``identified`` have their true picture first among the candidates, ``passed`` reach both
    thresholds; ``psnr_db`` and ``ssim`` are means over pictures, on pixels that were not seen, and
    ``whole_psnr_db`` is that of all pixels.
    """

    attack: str
    pictures: int
    identified: int
    passed: int
    psnr_db: float
    ssim: float
    whole_psnr_db: float


def judge(
    attack: Attack,
    splits: Splits,
    thresholds: Thresholds,
    candidates: int,
    seed: int,
    few: int | None = None,
) -> Outcome:
    """Return how an attack does; all chance follows from ``seed``.

    Of the pictures to be attacked it is tried on the first ``few``, or all; candidates are all.
    """
    fitting, drawing = np.random.default_rng(seed).spawn(2)
    views, gallery = splits.attacked
    truth = gallery[:few]
    if few is not None:  # else as they are: what is worked out of views stays with them
        views = views.of(slice(few))
    unseen = views.unseen
    if not unseen.any():  # who was shown everything has nothing to guess
        whole = len(truth)
        return Outcome(attack.name, whole, whole, whole, np.inf, 1.0, np.inf)
    attack.fit(*splits.known, splits.validation, fitting)
    guessed = attack.reconstruct(views)
    ranks = identification(guessed, truth, gallery, unseen, drawing, candidates)
    decibels, likeness = psnr(guessed, truth, unseen), ssim(guessed, truth, unseen)
    return Outcome(
        attack.name,
        len(truth),
        int((ranks == 1).sum()),
        int(thresholds.passed(likeness, decibels).sum()),
        float(decibels.mean()),
        float(likeness.mean()),
        float(np.minimum(psnr(guessed, truth), 100.0).mean()),
    )


def worst(outcomes: pd.DataFrame, column: str) -> int:
    """Return the place of the outcome whose rate, of those ``identified`` or ``passed``, is worst.

    That is the one with the greatest lower bound, the first of equals: an attack that was tried on
    few pictures may refute that a limit is kept, but two of 30 are not worse than ten of 1,000.
    """
    pairs = zip(outcomes[column], outcomes["pictures"], strict=True)
    return int(np.argmax([proportion(int(n), int(of)).low for n, of in pairs]))
