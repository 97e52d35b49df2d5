"""Pictures are those of the pipeline's own image processor, previews smaller ones of the same."""

import numpy as np

from tests.real_runner.shards.sdxl.painting import edge_steps, tiny


def test_the_picture_is_the_pipelines_to_the_bit(world):
    model = tiny()
    edge, cloud = world.origin(model), world.node(model)
    edge_steps(model, edge, cloud)
    edge.run(0, (model.decode(),))
    picture = edge.get(0, model.image)
    assert picture.dtype == np.uint8
    assert len(picture) == model.image.fixed_bytes
    wanted = world.reference(model, "pil")
    np.testing.assert_array_equal(picture.reshape(wanted.shape), wanted)
    assert wanted.std() > 10


def test_a_preview_is_a_picture_of_a_quarter_of_the_sides_and_of_what_is_there_so_far(world):
    model = tiny(width_px=128, height_px=64)
    edge, cloud = world.origin(model), world.node(model)
    edge_steps(model, edge, cloud)
    edge.run(0, (model.preview(1), model.preview(model.steps), model.decode()))
    early, late = (edge.get(0, model.preview(done).makes) for done in (1, model.steps))
    assert len(late) == model.preview(model.steps).makes.fixed_bytes == 3 * 32 * 16
    assert not np.array_equal(early, late)
    whole = edge.get(0, model.image).reshape(16, 4, 32, 4, 3).mean(axis=(1, 3))
    small = late.reshape(16, 32, 3)
    assert np.corrcoef(whole.ravel(), small.ravel())[0, 1] > 0.5
