"""What the executor keeps, gives and refuses, one request beside another."""

import numpy as np
import pytest

from real_runner.errors import StepError
from real_runner.shards.sdxl.head import first_latent
from tests.real_runner.shards.sdxl.painting import (
    DESIGNS,
    SEED,
    carry,
    edge_steps,
    latent,
    lockstep,
    prompt_bytes,
    tiny,
    told,
    torch,
)
from workloads.stage import Payload, Stage


@pytest.mark.parametrize("codec", ["fp16", "fp8", "int8", "int4"])
@pytest.mark.parametrize("scheduler", ["euler", "dpmpp-2m"])
def test_in_lockstep_both_sides_have_the_same_latents_whatever_the_codec_loses(
    world, scheduler, codec
):
    model = tiny(scheduler=scheduler)
    edge, cloud = world.origin(model), world.node(model)
    lockstep(model, edge, cloud, codec)
    for done in range(model.steps + 1):
        np.testing.assert_array_equal(latent(edge, model, done), latent(cloud, model, done))
    assert not np.array_equal(latent(edge, model), world.reference(model))


def test_a_cloud_that_steps_on_its_own_numbers_drifts_away(world):
    model = tiny()
    edge, cloud = world.origin(model), world.node(model)
    told(edge, cloud, model, "int8")
    carry(edge, cloud, model.latent(0), "fp32")
    for done in range(model.steps):
        cloud.run(0, (model.denoise(done), model.schedule(done)))
        carry(cloud, edge, model.noise(done), "int8")
        edge.run(0, (model.schedule(done),))
    assert not np.array_equal(latent(edge, model), latent(cloud, model))


@pytest.mark.parametrize("scheduler", ["euler", "ddim"])
def test_another_node_goes_on_from_a_latent_alone(world, scheduler):
    model = tiny(scheduler=scheduler)
    edge, cloud = world.origin(model), world.node(model)
    edge_steps(model, edge, cloud)
    heir, other = world.node(model), world.node(model)
    told(edge, heir, model, "fp32")
    carry(edge, heir, model.latent(2), "fp32")
    told(edge, other, model, "fp32")
    for done in range(2, model.steps):
        carry(heir, other, model.latent(done), "fp32")
        other.run(0, (model.denoise(done),))
        carry(other, heir, model.noise(done), "fp32")
        heir.run(0, (model.schedule(done),))
    np.testing.assert_array_equal(latent(heir, model), latent(edge, model))


def test_a_scheduler_that_looks_back_needs_the_step_before_and_that_is_enough(world):
    model = tiny(scheduler="dpmpp-2m")
    edge, cloud = world.origin(model), world.node(model)
    edge_steps(model, edge, cloud)
    heir = world.node(model)
    for payload in (model.latent(2), model.noise(2)):
        carry(edge, heir, payload, "fp32")
    with pytest.raises(StepError, match="schedule: needs the latent after 1 steps; here lie lat"):
        heir.run(0, (model.schedule(2),))
    carry(edge, heir, model.latent(1), "fp32")
    with pytest.raises(StepError, match="needs the noise of step 1; here lie latents after 1, 2"):
        heir.run(0, (model.schedule(2),))
    carry(edge, heir, model.noise(1), "fp32")
    heir.run(0, (model.schedule(2),))
    np.testing.assert_array_equal(latent(heir, model, 3), latent(edge, model, 3))


def test_where_an_array_begins_in_memory_makes_no_difference(world):
    model = tiny(scheduler="ddim", guidance=False)
    edge, cloud = world.origin(model), world.node(model)
    for payload in (model.told[0], model.told[1], model.latent(0)):
        content = edge.get(0, payload)
        memory = np.empty(content.size + 17, np.float32)
        start = next(n for n in range(1, 17) if memory[n:].ctypes.data % 64 == 4)
        shifted = memory[start : start + content.size].reshape(content.shape)
        shifted[:] = content
        cloud.put(0, payload, shifted)
    carry(edge, cloud, model.told[2], "fp32")
    for node in (edge, cloud):
        node.run(0, (model.denoise(0),))
    noises = [node.get(0, model.noise(0)) for node in (edge, cloud)]
    np.testing.assert_array_equal(*noises)


def test_requests_do_not_disturb_each_other(world):
    model = tiny(scheduler="dpmpp-2m")
    edge, cloud = world.node(model), world.node(model)
    for job in (0, 1):
        world.origin(model, job, edge)
        told(edge, cloud, model, "fp32", job)
    seed = np.array([7], "<u8").view(np.uint8)
    edge.put(1, Payload("seed", fixed_bytes=8.0), seed)
    edge.run(1, (model.encode(),))
    for done in range(model.steps):
        for job in (0, 1):
            carry(edge, cloud, model.latent(done), "fp32", job)
            cloud.run(job, (model.denoise(done),))
            carry(cloud, edge, model.noise(done), "fp32", job)
        for job in (1, 0):
            edge.run(job, (model.schedule(done),))
    np.testing.assert_array_equal(latent(edge, model), world.reference(model))
    generator = torch.Generator().manual_seed(7)
    other = world.reference(model, generator=generator)
    np.testing.assert_array_equal(latent(edge, model, job=1), other)
    edge.forget(1)
    edge.forget(1)
    with pytest.raises(StepError, match="sending latent: needs that; here lie nothing"):
        latent(edge, model, job=1)


@pytest.mark.parametrize("design", DESIGNS)
def test_only_the_parts_that_a_nodes_stages_need_are_read(world, design):
    model = tiny(steps=2)
    edge, cloud = world.origin(model), world.node(model)
    assert cloud.parts.loaded == ()
    DESIGNS[design](model, edge, cloud)
    assert cloud.parts.loaded == ("unet",)
    assert edge.parts.loaded == ("text_encoder", "text_encoder_2")
    edge.run(0, (model.decode(),))
    assert edge.parts.loaded == ("text_encoder", "text_encoder_2", "vae")


def test_without_a_prompt_to_avoid_the_pipeline_and_we_avoid_nothing(world):
    model = tiny()
    edge, cloud = world.node(model), world.node(model)
    prompts = prompt_bytes(model)
    prompts[len(prompts) // 2 :] = 0
    edge.put(0, model.captured, prompts)
    edge.put(0, Payload("seed"), np.array([SEED], "<u8").view(np.uint8))
    edge.run(0, (model.encode(),))
    edge_steps(model, edge, cloud)
    wanted = world.reference(model, negative_prompt=None)
    np.testing.assert_array_equal(latent(edge, model), wanted)
    assert not np.array_equal(wanted, world.reference(model))


def test_the_first_latent_is_drawn_with_seed_0_where_none_comes(world):
    model = tiny()
    node = world.node(model)
    node.put(0, model.captured, prompt_bytes(model))
    node.run(0, (model.encode(),))
    device = torch.device("cpu")
    wanted = first_latent(model, 0, 1.0, torch.float32, device)[0].numpy()
    ratio = latent(node, model, 0) / wanted
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-5)
    assert ratio.mean() > 4


def test_a_node_gives_on_what_it_was_given(world):
    model = tiny()
    node, other = world.node(model), world.node(model)
    node.put(0, model.captured, prompt_bytes(model))
    np.testing.assert_array_equal(node.get(0, model.captured), prompt_bytes(model))
    carry(node, other, model.captured, "fp32")
    carry(node, other, Payload("seed"), "fp32")
    other.run(0, (model.encode(),))
    for payload in model.told:
        carry(other, node, payload, "fp32")
        np.testing.assert_array_equal(node.get(0, payload), other.get(0, payload))


@pytest.mark.parametrize("dtype", ["fp64", "bf16", "fp16"])
def test_other_dtypes_paint_nearly_the_same(world, dtype):
    model = tiny(guidance=False, steps=2)
    exact, node = world.origin(model), world.node(model, dtype)
    for payload in (model.captured, *model.told, model.latent(0)):
        carry(exact, node, payload, "fp32")
    for each in (exact, node):
        each.run(0, (model.denoise(0), model.schedule(0), model.denoise(1), model.schedule(1)))
        each.run(0, (model.decode(),))
    ours, theirs = latent(node, model), latent(exact, model)
    assert np.abs(ours - theirs).max() < 0.2 * np.abs(theirs).max()
    assert node.get(0, model.image).shape == exact.get(0, model.image).shape


MODEL = tiny()
FIELD = (4, 16 * 32)


@pytest.mark.parametrize(
    ("payload", "array", "words"),
    [
        (MODEL.captured, np.zeros(14, np.int32), "prompt: int32 of shape"),
        (MODEL.captured, np.zeros(14, np.uint8), r"prompt: 14 bytes; give 56, \(2, 7\) of <i4"),
        (MODEL.captured, np.full(56, 255, np.uint8), "token numbers from -1 to -1; .* has 0 to 19"),
        (Payload("seed"), np.zeros(4, np.uint8), "seed: 4 bytes; give 8"),
        (MODEL.told[2], np.zeros(12, np.uint8), "sizes: 12 bytes; give 48"),
        (MODEL.told[0], np.zeros((14, 41)), r"embedding: shape \(14, 41\); give \(14, 40\)"),
        (MODEL.told[1], np.zeros((1, 24)), r"pooled: shape \(1, 24\); give \(2, 24\)"),
        (MODEL.told[1], np.full((2, 24), np.nan), "pooled: holds numbers that are not finite"),
        (MODEL.latent(0), np.zeros((1, 9)), r"latent after 0 steps: shape \(1, 9\); give \("),
        (MODEL.noise(1), np.zeros(FIELD, int), "noise after 1 steps: numbers of type int64"),
        (MODEL.latent(5), np.zeros(FIELD), "latent after 5 steps: there are 0 to 4"),
        (MODEL.noise(4), np.zeros(FIELD), "noise after 4 steps: there are 0 to 3"),
        (MODEL.image, np.zeros(9, np.uint8), r"image: 9 bytes; give 6144, \(32, 64, 3\) of u1"),
    ],
)
def test_malformed_arrivals_are_refused(world, payload, array, words):
    with pytest.raises(StepError, match=words):
        world.node(MODEL).put(0, payload, array)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (MODEL.prepare, "sdxl.prepare: needs the prompts; here lie nothing"),
        (MODEL.encode(), "sdxl.encode: needs the prompts"),
        (MODEL.denoise(1), "sdxl.denoise: needs the latent after 1 steps"),
        (MODEL.schedule(0), "sdxl.schedule: needs the latent after 0 steps"),
        (MODEL.schedule(0, "int8"), "sdxl.schedule: needs the noise of step 0"),
        (MODEL.decode(), "sdxl.decode: needs the latent after 4 steps"),
        (MODEL.preview(2), "sdxl.preview: needs the latent after 2 steps"),
        (Stage("sdxl.denoise", 1.0, 1.0), "sdxl.denoise: does not say which step it is"),
        (Stage("sam.decode", 1.0, 1.0), "sam.decode: no stage of sdxl-tiny"),
    ],
)
def test_a_stage_says_what_it_lacks(world, stage, words):
    with pytest.raises(StepError, match=words):
        world.node(MODEL).run(0, (stage,))


def test_the_denoiser_says_that_nobody_told_it_of_the_prompts(world):
    edge, cloud = world.origin(MODEL), world.node(MODEL)
    carry(edge, cloud, MODEL.latent(0), "fp32")
    with pytest.raises(StepError, match=r"needs embedding, pooled .*; here lie latents after 0"):
        cloud.run(0, (MODEL.denoise(0),))


def test_nothing_is_begun_once_stopped(world):
    node = world.node(MODEL)
    node.put(0, MODEL.captured, prompt_bytes(MODEL))
    node.run(0, (MODEL.encode(),), lambda: True)
    with pytest.raises(StepError, match="here lie prompts"):
        latent(node, MODEL, 0)


def test_another_tensor_of_numbers_is_not_there_to_be_had(world):
    with pytest.raises(StepError, match="hidden: no tensor of SDXL that this worker keeps"):
        world.node(MODEL).get(0, Payload("hidden", elements=4, tokens=1))
    with pytest.raises(StepError, match="latent: 8 numbers asked for, here lie 2048"):
        world.origin(MODEL).get(0, Payload("latent", elements=8, tokens=1))
