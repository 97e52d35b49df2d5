"""What a window's squares tell of each other's means, and what they do not."""

import numpy as np
import pytest

from experiments.laboratory.attacks.joining import MIDDLE, joined
from real_runner.shards.pixels import without
from workloads.sam.geometry import windows
from workloads.sam.variants import VARIANTS
from workloads.sam.withholding import Withheld
from workloads.scenes import Look, scene

SMALL = VARIANTS["small"]
PATCH_PX = SMALL.patch_px


def tiles(picture, withheld):
    """Each window as it is, and as clouds see it."""
    sent = without(SMALL, picture, Withheld(withheld))
    for window in windows(SMALL):
        rows = slice(window.top_px, window.top_px + window.height_px)
        columns = slice(window.left_px, window.left_px + window.width_px)
        yield picture[rows, columns], sent[rows, columns]


def test_a_smooth_picture_comes_back_but_for_a_constant():
    down, right = np.mgrid[:256, :256] / 255
    picture = (np.stack([down, right, (down + right) / 2], -1) * 100 + 70).round().astype(np.uint8)
    for truth, seen in tiles(picture, 1):
        found = joined(seen, PATCH_PX).astype(float)
        apart = found - truth
        assert apart.std(axis=(0, 1)).max() < 3
        assert found.mean(axis=(0, 1)) == pytest.approx([MIDDLE] * 3, abs=1)
        assert seen.astype(float).std(axis=(0, 1)).max() < found.std(axis=(0, 1)).max()


def test_of_scenes_means_of_squares_are_told_within_a_window():
    """So what is kept from a cloud is the mean colour of its window, hardly more."""
    true, told = [], []
    for number in range(12):
        picture = scene(Look(side_px=256), 7, "attack-train", number).picture
        for truth, seen in tiles(picture, 1):
            for each, kept in ((truth, true), (joined(seen, PATCH_PX), told)):
                cells = each.reshape(4, PATCH_PX, 4, PATCH_PX, 3).mean(axis=(1, 3)).reshape(16, 3)
                kept.append(cells - cells.mean(axis=0))
    correlation = np.corrcoef(np.ravel(true), np.ravel(told))[0, 1]
    assert correlation > 0.95


def test_between_windows_nothing_is_told():
    bright, dark = (np.full((256, 256, 3), level, np.uint8) for level in (200, 40))
    for one, other in zip(tiles(bright, 1), tiles(dark, 1), strict=True):
        np.testing.assert_array_equal(joined(one[1], PATCH_PX), joined(other[1], PATCH_PX))


@pytest.mark.parametrize("shape", [(16, 16), (40, 24), (64, 16)])
def test_squares_that_are_cut_off_are_joined_too(shape):
    flat = np.full((*shape, 3), 128, np.uint8)
    np.testing.assert_array_equal(joined(flat, 16), flat)
