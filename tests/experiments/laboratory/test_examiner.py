"""Masks on the model's square: where SAM itself puts the picture."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.examiner import resized  # noqa: E402
from experiments.scenarios.loader import load  # noqa: E402
from real_runner.shards.operators import import_segment_anything  # noqa: E402
from sim.errors import PolicyError  # noqa: E402
from sim.policies.placement import sam_of  # noqa: E402


def test_a_square_of_the_same_size_is_left_as_it_is():
    masks = np.random.default_rng(0).random((3, 64, 64)) > 0.5
    np.testing.assert_array_equal(resized(masks, 64), masks)


@pytest.mark.parametrize("shape", [(30, 50), (120, 80), (64, 640)])
def test_a_picture_lies_where_the_reference_puts_it(shape):
    import_segment_anything()
    from segment_anything.utils.transforms import ResizeLongestSide

    rows, columns = ResizeLongestSide.get_preprocess_shape(*shape, 64)
    square = resized(np.ones((1, *shape), bool), 64)[0]
    assert square[:rows, :columns].all()
    assert not square[rows:].any()
    assert not square[:, columns:].any()
    half = np.zeros((1, *shape), bool)
    half[0, : shape[0] // 2] = True
    assert resized(half, 64)[0, :rows, :columns].mean() == pytest.approx(0.5, abs=0.5 / rows + 0.01)


def test_a_model_that_looks_at_no_pictures_is_refused():
    with pytest.raises(PolicyError, match="is no SAM"):
        sam_of(load("small-llama").workload.model)
