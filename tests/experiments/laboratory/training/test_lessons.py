"""Lessons: prompts that point into what is wanted, and the same ones whenever a step is taken."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training.lessons import batches, examination, lesson
from workloads.scenes import Look, scene

LOOK = Look(side_px=64)


def test_prompts_point_into_their_masks_or_stand_around_them():
    kinds = []
    for index in range(30):
        each = lesson(LOOK, 1, "train", index, most=3)
        assert each.picture.shape == (3, 64, 64)
        assert 1 <= len(each.prompts) == len(each.masks) <= 3
        for prompt, mask, is_point in zip(each.prompts, each.masks, each.is_point, strict=True):
            rows, columns = np.nonzero(mask.numpy())
            (x, y, first), (right, bottom, second) = prompt.tolist()
            kinds.append(bool(is_point))
            if is_point:
                assert (first, second, right, bottom) == (1, -1, 0, 0)
                assert mask[int(y), int(x)]
            else:
                assert (first, second) == (2, 3)
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                assert np.abs(np.subtract((x, y, right, bottom), box)).max() <= 64 / 51.2
    assert 0.3 < np.mean(kinds) < 0.7


def test_an_examination_asks_for_every_object_and_leaves_nothing_to_chance():
    for prompting, label in (("point", 1), ("box", 2)):
        one, again = (examination(LOOK, 1, "validate", 4, prompting) for _ in range(2))
        assert torch.equal(one.prompts, again.prompts)
        assert len(one.prompts) == len(scene(LOOK, 1, "validate", 4).things)
        assert (one.prompts[:, 0, 2] == label).all()
        assert torch.equal(one.is_point, torch.full((len(one.prompts),), prompting == "point"))


def test_a_step_has_the_same_lessons_whichever_went_before():
    long, short = (list(batches(LOOK, 2, 2, 3, range(first, 4))) for first in (0, 2))
    assert [len(each) for each in long] == [2, 2, 2, 2]
    for one, other in zip(long[2:], short, strict=True):
        for left, right in zip(one, other, strict=True):
            assert torch.equal(left.picture, right.picture)
            assert torch.equal(left.prompts, right.prompts)
    assert torch.equal(long[1][1].picture, lesson(LOOK, 2, "train", 3, 3).picture)
