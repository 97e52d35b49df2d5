"""Pictures to examine on: drawn ones, and a user's own."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.subjects import GRID, drawn, photographed
from workloads.errors import WorkloadError
from workloads.scenes import Look, scene


def test_a_drawn_scene_has_a_point_and_a_box_on_each_object():
    look = Look(side_px=64)
    subject, truth = drawn(look, 3, "test", 5), scene(look, 3, "test", 5)
    count = len(truth.things)
    assert subject.kinds == ("point",) * count + ("box",) * count
    for number in range(count):
        mask = truth.mask(number)
        np.testing.assert_array_equal(subject.masks[number], mask)
        np.testing.assert_array_equal(subject.masks[count + number], mask)
        (x, y, label), (_, _, padding) = subject.prompts[number]
        assert mask[int(y), int(x)]
        assert (label, padding) == (1, -1)
        (left, top, first), (right, bottom, last) = subject.prompts[count + number]
        inside = mask[int(top) : int(bottom), int(left) : int(right)]
        assert inside.sum() == mask.sum()
        assert (first, last) == (2, 3)


def save(array, path):
    Image.fromarray(array).save(path)


@pytest.fixture
def folders(tmp_path):
    pictures, masks = tmp_path / "pictures", tmp_path / "masks"
    pictures.mkdir()
    masks.mkdir()
    save(np.full((30, 50, 3), 90, np.uint8), pictures / "b.png")
    numbers = np.zeros((30, 50), np.uint8)
    numbers[5:10, 5:10], numbers[20:25, 30:45] = 7, 9
    save(numbers, masks / "b.png")
    return pictures, masks


def test_own_pictures_have_a_grid_of_points_or_prompts_on_known_objects(folders):
    pictures, masks = folders
    (bare,) = photographed(pictures)
    assert bare.masks is None
    assert bare.prompts.shape == (GRID**2, 2, 3)
    assert (bare.prompts[:, 0, :2] < (50, 30)).all()
    (known,) = photographed(pictures, masks)
    assert known.kinds == ("point", "point", "box", "box")
    assert [mask.sum() for mask in known.masks] == [25, 75, 25, 75]


def test_what_is_no_picture_or_no_mask_is_told_in_one_line(folders, tmp_path):
    pictures, masks = folders
    with pytest.raises(WorkloadError, match="cannot be read"):
        list(photographed(tmp_path / "nowhere"))
    with pytest.raises(WorkloadError, match="holds no picture"):
        list(photographed(tmp_path))
    save(np.zeros((30, 50), np.uint8), masks / "b.png")
    with pytest.raises(WorkloadError, match=r"b\.png: shows no object"):
        list(photographed(pictures, masks))
    save(np.ones((30, 51), np.uint8), masks / "b.png")
    with pytest.raises(WorkloadError, match="give one number per pixel"):
        list(photographed(pictures, masks))
    (pictures / "c.jpg").write_bytes(b"nothing")
    with pytest.raises(WorkloadError, match=r"c\.jpg: is no picture"):
        list(photographed(pictures))
