"""SSIM against its formula, window by window."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[lab]'")
pytest.importorskip("lightning_utilities", reason="pip install 'tessera[lab]'")

from experiments.laboratory.attacks.similarity import ssim


def by_hand(one: np.ndarray, other: np.ndarray, row: int, column: int) -> float:
    """The formula of Wang et al. (2004) with an 11×11 Gaussian window, the mean over colours."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    found = []
    for colour in range(3):
        a, b = (
            each[row - 5 : row + 6, column - 5 : column + 6, colour].astype(np.float64)
            for each in (one, other)
        )
        (mean_a, mean_b) = ((window * each).sum() for each in (a, b))
        variances = (window * a * a).sum() - mean_a**2 + (window * b * b).sum() - mean_b**2
        covariance = (window * a * b).sum() - mean_a * mean_b
        c1, c2 = 0.01**2, 0.03**2
        found.append(
            (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
        )  # fmt: skip
    return float(np.mean(found))


def test_ssim_is_the_formulas_mean_over_the_pixels_named():
    rng = np.random.default_rng(0)
    truth = rng.random((3, 24, 24, 3), dtype=np.float32)
    found = (0.5 * truth + 0.5 * rng.random(truth.shape, dtype=np.float32)).astype(np.float32)
    where = np.zeros((24, 24), bool)
    where[7, 9] = where[14, 12] = True
    wanted = [
        np.mean([by_hand(a, b, 7, 9), by_hand(a, b, 14, 12)])
        for a, b in zip(found, truth, strict=True)
    ]
    assert ssim(found, truth, where) == pytest.approx(wanted, abs=1e-6)
    assert ssim(found, truth, where) != pytest.approx(ssim(found, truth), abs=1e-3)


def test_a_picture_is_similar_to_itself_and_noise_to_nothing():
    rng = np.random.default_rng(0)
    truth = rng.random((300, 16, 16, 3), dtype=np.float32)
    assert ssim(truth, truth) == pytest.approx(np.ones(300))
    assert np.abs(ssim(rng.random(truth.shape, dtype=np.float32), truth)).max() < 0.2
    assert np.isnan(ssim(truth, truth, np.zeros((16, 16), bool))).all()
