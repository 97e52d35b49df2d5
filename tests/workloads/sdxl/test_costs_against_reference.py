"""Closed forms against the operations and parameters of diffusers' and transformers' own classes.

Everything is built from published configurations on the meta device: no numbers, no memory.
"""

import pytest

from workloads.sdxl import costs
from workloads.sdxl.variants import VARIANTS

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")
BASE = VARIANTS["sdxl-base"]


def counted_flops(call):
    with flop_counter.FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops()


def parameters_of(module):
    return sum(parameter.numel() for parameter in module.parameters())


def empty(*shape):
    return torch.empty(*shape, device="meta")


@pytest.fixture(scope="module")
def unet(diffusers):
    """Return the denoiser as unet/config.json of SDXL base 1.0 describes it."""
    with torch.device("meta"):
        return diffusers.UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            transformer_layers_per_block=(1, 2, 10),
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
            use_linear_projection=True,
        )


@pytest.mark.parametrize(("batch", "height", "width"), [(2, 128, 128), (1, 96, 160)])
def test_a_step_costs_what_the_reference_computes(unet, batch, height, width):
    added = {"text_embeds": empty(batch, 1280), "time_ids": empty(batch, 6)}
    inputs = (empty(batch, 4, height, width), torch.tensor(1), empty(batch, 77, 2048))
    flops = counted_flops(lambda: unet(*inputs, added_cond_kwargs=added))
    work = costs.unet(BASE.unet, height, width, BASE.text_tokens).batched(batch)
    assert 2 * work.macs == pytest.approx(flops, rel=1e-3)
    assert work.parameters == parameters_of(unet)


def test_decoding_costs_what_the_reference_computes(diffusers):
    with torch.device("meta"):
        autoencoder = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
    flops = counted_flops(lambda: autoencoder.decode(empty(1, 4, 64, 96)))
    work = costs.decode(BASE.decoder, 64, 96)
    assert 2 * work.macs == pytest.approx(flops, rel=1e-3)
    parts = (autoencoder.decoder, autoencoder.post_quant_conv)
    assert work.parameters == sum(map(parameters_of, parts))


@pytest.mark.parametrize(
    ("number", "kind"), [(0, "CLIPTextModel"), (1, "CLIPTextModelWithProjection")]
)
def test_a_text_encoder_costs_what_the_reference_computes(transformers, number, kind):
    encoder = BASE.encoders[number]
    config = transformers.CLIPTextConfig(
        hidden_size=encoder.dim,
        intermediate_size=encoder.intermediate,
        num_hidden_layers=encoder.layers,
        num_attention_heads=encoder.dim // 64,
        projection_dim=encoder.projection or encoder.dim,
    )
    with torch.device("meta"):
        reference = getattr(transformers, kind)(config)
        prompt = torch.zeros(1, encoder.tokens, dtype=torch.long)
    flops = counted_flops(lambda: reference(prompt))
    work = costs.encode(encoder)
    assert 2 * work.macs == pytest.approx(flops, rel=1e-3)
    assert work.parameters + costs.table_parameters(encoder) == parameters_of(reference)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_costs_what_the_modules_it_is_run_with_compute(name):
    architecture = pytest.importorskip("real_runner.shards.sdxl.architecture")
    variant = VARIANTS[name]
    modules = {part: architecture.empty(variant, part) for part in architecture.PARTS}
    height, width = 64, 32
    tokens, context = variant.text_tokens, variant.unet.context
    added = {"text_embeds": empty(2, variant.pooled), "time_ids": empty(2, 6)}
    inputs = (empty(2, 4, height, width), torch.tensor(1), empty(2, tokens, context))
    flops = counted_flops(lambda: modules["unet"](*inputs, added_cond_kwargs=added))
    work = costs.unet(variant.unet, height, width, tokens).batched(2)
    assert 2 * work.macs == pytest.approx(flops, rel=0.01)
    assert work.parameters == parameters_of(modules["unet"])
    flops = counted_flops(lambda: modules["vae"].decode(empty(1, 4, height, width)))
    work = costs.decode(variant.decoder, height, width)
    assert 2 * work.macs == pytest.approx(flops, rel=0.01)
    assert work.parameters == parameters_of(modules["vae"])
    prompt = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    for part, encoder in zip(architecture.TEXT_ENCODERS, variant.encoders, strict=True):
        flops = counted_flops(lambda part=part: modules[part](prompt))
        work = costs.encode(encoder)
        assert 2 * work.macs == pytest.approx(flops, rel=0.01)
        assert work.parameters + costs.table_parameters(encoder) == parameters_of(modules[part])
