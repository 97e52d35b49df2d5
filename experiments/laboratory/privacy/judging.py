"""One attack on one view: fitted, carried out on pictures it has never met, and counted."""

from dataclasses import dataclass

import numpy as np

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.metrics import identification, psnr
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.similarity import ssim
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
    attack: Attack, splits: Splits, thresholds: Thresholds, candidates: int, seed: int
) -> Outcome:
    """Return how an attack does; all chance follows from ``seed``."""
    fitting, drawing = np.random.default_rng(seed).spawn(2)
    views, truth = splits.attacked
    unseen = views.unseen
    if not unseen.any():  # who was shown everything has nothing to guess
        whole = len(truth)
        return Outcome(attack.name, whole, whole, whole, np.inf, 1.0, np.inf)
    attack.fit(*splits.known, splits.validation, fitting)
    guessed = attack.reconstruct(views)
    ranks = identification(guessed, truth, truth, unseen, drawing, candidates)
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
