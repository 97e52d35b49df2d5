import pytest

from workloads.codec import CODECS
from workloads.errors import WorkloadError
from workloads.sdxl.model import SCHEDULERS, Sdxl
from workloads.sdxl.variants import VARIANTS

BASE = VARIANTS["sdxl-base"]


def test_noise_and_embeddings_are_as_large_as_published():
    sdxl = Sdxl(BASE)
    assert sdxl.noise(0).elements == sdxl.latent(0).elements == 4 * 128 * 128
    assert sdxl.noise(3).encoded_bytes(CODECS["fp32"]) == 262_144
    assert sdxl.noise(3).encoded_bytes(CODECS["int4"]) == pytest.approx(32_800, rel=0.001)
    embedding, pooled, sizes = sdxl.told
    assert embedding.elements == 2 * 77 * 2048
    assert pooled.elements == 2 * 1280
    assert sizes.fixed_bytes == 2 * 6 * 4
    assert all(each.elements % each.tokens == 0 for each in (embedding, pooled))


def test_the_denoiser_has_as_many_parameters_as_published():
    assert Sdxl(BASE).denoise(0).weight_bytes / 2e9 == pytest.approx(2.567, abs=0.001)


def test_only_a_scheduler_of_second_order_remembers():
    found = [name for name in SCHEDULERS if Sdxl(BASE, scheduler=name).remembers]
    assert found == ["dpmpp-2m"]


def test_guidance_doubles_the_work_of_a_step_and_reads_the_weights_once():
    guided, free = Sdxl(BASE).denoise(0), Sdxl(BASE, guidance=False).denoise(0)
    assert guided.flops == 2 * free.flops
    assert guided.weight_bytes == free.weight_bytes
    assert guided.memory_bytes < 2 * free.memory_bytes


def test_work_grows_with_the_size_of_the_picture_and_attention_faster_than_that():
    small, large = Sdxl(BASE, width_px=512, height_px=512), Sdxl(BASE)
    for stage in ("denoise", "decode"):
        args = (0,) if stage == "denoise" else ()
        ratio = getattr(large, stage)(*args).flops / getattr(small, stage)(*args).flops
        assert 4 < ratio < 8


def test_the_chain_is_encoders_steps_and_decoder_and_says_how_deep_each_latent_is():
    chain = Sdxl(BASE, steps=2).chain
    kinds = [link.stage.kind.removeprefix("sdxl.") for link in chain]
    assert kinds == ["encode", "denoise", "schedule", "denoise", "schedule", "decode"]
    assert [link.output.blocks_done for link in chain] == [0, 0, 1, 1, 2, 0]
    assert chain[-1].output.fixed_bytes == 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "painting.steps: 0; give at least 1"),
        ({"width_px": 1000}, "painting.width_px: 1000; give a multiple of 32"),
        ({"height_px": 0}, "painting.height_px: 0; give a multiple of 32"),
        ({"steps": 1000}, "painting.steps: 1000; give less than 1000"),
        ({"scheduler": "lcm"}, "painting.scheduler: 'lcm' is unknown; choose one of euler, ddim"),
        ({"guidance_scale": 1.0}, "painting.guidance_scale: 1.0; give more than 1, or guidance"),
        ({"guidance_scale": float("nan")}, "painting.guidance_scale: nan; give more than 1"),
        ({"precision": "fp3"}, "sdxl.precision: 'fp3' is unknown"),
    ],
)
def test_an_impossible_picture_is_an_error(changes, words):
    with pytest.raises(WorkloadError, match=words):
        Sdxl(BASE, **changes)
