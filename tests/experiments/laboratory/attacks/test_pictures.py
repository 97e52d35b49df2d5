"""Pictures at the working size, and which pixels of them were shown."""

import numpy as np
import pytest

from experiments.laboratory.attacks.pictures import averaged, enlarged, shown


def test_a_working_pixel_is_the_mean_of_its_area():
    picture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    found = averaged([picture, picture], 2)
    assert found.shape == (2, 2, 2, 3)
    assert found.dtype == np.float32
    assert found[1, 0, 1] == pytest.approx(picture[:2, 2:].mean(axis=(0, 1)) / 255)


def test_a_working_pixel_shown_in_part_is_not_seen():
    mask = np.zeros((8, 8), bool)
    mask[:4, :3] = True
    assert shown(mask, 4).sum() == 2  # the third column's pixels lie half outside
    assert shown(mask, 8).sum() == 12
    assert (shown(enlarged(shown(mask, 4), 8), 4) == shown(mask, 4)).all()


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="side_px: 3 does not divide the picture's 8 pixels"):
        shown(np.ones((8, 8), bool), 3)
    with pytest.raises(ValueError, match="side_px: 9 is no multiple"):
        enlarged(np.ones((8, 8), bool), 9)
