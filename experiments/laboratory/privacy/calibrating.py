"""What those reach who know nothing of a picture: the thresholds of success, set beforehand."""

from collections.abc import Callable

import numpy as np

from experiments.laboratory.attacks.metrics import psnr
from experiments.laboratory.attacks.pictures import SIDE_PX, Pictures, averaged
from experiments.laboratory.attacks.similarity import ssim
from experiments.laboratory.attacks.thresholds import Thresholds, thresholds
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views
from experiments.laboratory.privacy.portfolio import ignorant
from experiments.laboratory.privacy.protocol import Protocol
from workloads.scenes import Look, Split, scene


def calibrated(protocol: Protocol, side_px: int, told: Callable[[], None]) -> Thresholds:
    """Return the thresholds for pictures of a size, by baselines on the split ``calibrate``.

    They learn from as many pictures of ``attack-train``; ``told`` is told of each that is drawn.
    """
    look, count = Look(side_px=side_px, prior=protocol.prior), protocol.pictures.calibrate

    def drawn(split: Split) -> Pictures:
        found = np.empty((count, SIDE_PX, SIDE_PX, 3), np.float32)
        for place in range(count):
            found[place] = averaged([scene(look, protocol.seed, split, place).picture])[0]
            told()
        return found

    known, truth, nothing = drawn("attack-train"), drawn("calibrate"), _nothing(count)
    scores = []
    for baseline in ignorant():
        rng = np.random.default_rng(protocol.seed)
        baseline.fit(nothing, known, (nothing, known), rng)
        guessed = baseline.reconstruct(nothing)
        scores.append((ssim(guessed, truth), psnr(guessed, truth)))
    return thresholds(scores)


def _nothing(count: int) -> Views:
    shape = (SIDE_PX, SIDE_PX)
    nothing = Transcript.of_numbers(np.empty((count, 0), np.float32))
    return Views(nothing, np.zeros((count, *shape, 3), np.float32),
                 np.zeros(shape, bool))  # fmt: skip
