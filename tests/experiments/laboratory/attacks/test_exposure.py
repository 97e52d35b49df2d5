"""What a view shows of objects, by hand and of drawn scenes."""

import numpy as np
import pytest

from experiments.laboratory.attacks.exposure import exposure, shown_of_objects

from .conftest import SIDE_PX, World, tile

OWNERS = np.full((8, 8), -1, np.int8)
OWNERS[0, :4] = 0  # of which a half is shown
OWNERS[4:6, 0] = 1  # all
OWNERS[7, 6:] = 2  # nothing
OWNERS[2, 2] = 3  # all
SEEN = np.zeros((8, 8), bool)
SEEN[:, :2] = SEEN[2, 2] = True


def test_fractions_of_objects_are_of_their_visible_pixels():
    assert shown_of_objects(OWNERS, SEEN).tolist() == [0.5, 1, 0, 1]
    found = exposure([OWNERS, OWNERS], SEEN)
    assert found.pixels == pytest.approx(17 / 64)
    assert (found.objects, found.half, found.most) == (8, 0.75, 0.5)


def test_a_mask_at_the_working_size_stands_for_areas(world: World):
    owners = [each.owners for each in world.scenes["test"]]
    everything = exposure(owners, np.ones((SIDE_PX, SIDE_PX), bool))
    assert (everything.pixels, everything.half, everything.most) == (1, 1, 1)
    assert everything.objects == sum(len(each.things) for each in world.scenes["test"])
    little = exposure(owners, tile(8, 8))
    larger = exposure(owners, tile(8, 8, 16))
    assert 0 < little.most <= little.half < larger.half < 1
    with pytest.raises(ValueError, match="no multiple"):
        exposure(owners, np.ones((60, 60), bool))


def test_scenes_without_objects_are_refused():
    with pytest.raises(ValueError, match="no object"):
        exposure([np.full((8, 8), -1, np.int8)], SEEN)
