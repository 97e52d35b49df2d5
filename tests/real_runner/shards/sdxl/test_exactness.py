"""Split in any design, a picture is that of diffusers' own pipeline, to the last bit."""

import numpy as np
import pytest

from tests.real_runner.shards.sdxl.painting import DESIGNS, latent, tiny


@pytest.mark.parametrize("guidance", [True, False])
@pytest.mark.parametrize("scheduler", ["euler", "ddim", "dpmpp-2m"])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_last_latent_is_the_pipelines_to_the_bit(world, design, scheduler, guidance):
    model = tiny(scheduler=scheduler, guidance=guidance, guidance_scale=6.5)
    edge, cloud = world.origin(model), world.node(model)
    DESIGNS[design](model, edge, cloud)
    wanted = world.reference(model)
    np.testing.assert_array_equal(latent(edge, model), wanted)
    assert wanted.std() > 0.1
    assert world.pipeline.scheduler.__class__.__name__.lower().startswith(scheduler[:3])
