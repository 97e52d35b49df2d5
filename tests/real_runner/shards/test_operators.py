import subprocess
import sys

import numpy as np
import pytest
import torch

from real_runner.shards.operators import declare_missing, import_segment_anything, nms


def brute_force(boxes, scores, threshold):
    """Return the kept boxes one by one, by the definition."""
    kept = []
    for candidate in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        left, top, right, bottom = boxes[candidate]
        for other in kept:
            width = min(right, boxes[other][2]) - max(left, boxes[other][0])
            height = min(bottom, boxes[other][3]) - max(top, boxes[other][1])
            common = max(width, 0) * max(height, 0)
            both = (right - left) * (bottom - top) + (boxes[other][2] - boxes[other][0]) * (
                boxes[other][3] - boxes[other][1]
            )
            if common / (both - common) > threshold:
                break
        else:
            kept.append(candidate)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_nms_keeps_what_the_definition_keeps(seed, threshold):
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 60, (80, 2))
    boxes = np.hstack([corners, corners + generator.uniform(1, 40, (80, 2))])
    scores = generator.integers(0, 20, 80) / 20  # with ties
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
    assert kept.tolist() == brute_force(boxes.tolist(), scores.tolist(), threshold)
    assert kept.dtype == torch.int64


def test_nms_of_nothing_is_nothing():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def test_the_operator_that_torchvision_calls_is_there():
    import_segment_anything()
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    assert torch.ops.torchvision.nms(boxes, scores, 0.5).tolist() == [1, 2]


def test_nothing_is_declared_twice():
    declare_missing()
    assert declare_missing() == ()


def test_operators_that_exist_are_left_alone():
    """In a process of its own, since an operator is declared for good."""
    program = (
        "import torch\n"
        "for name in ('nms', 'qnms'):\n"
        "    torch.library.define(f'torchvision::{name}',"
        " '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "from real_runner.shards.operators import declare_missing\n"
        "assert declare_missing() == ()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_reference_can_be_imported_first_of_all():
    program = (
        "from real_runner.shards.operators import import_segment_anything\n"
        "assert hasattr(import_segment_anything().modeling, 'ImageEncoderViT')\n"
        "import torchvision.ops\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
