"""Closed forms against the operations that segment_anything's own classes perform."""

import pytest

from workloads.sam import costs
from workloads.sam.decoder import decode
from workloads.sam.geometry import windows
from workloads.sam.variants import TILE_ENCODER, VARIANTS
from workloads.work import Work

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")
PAPER = ("vit-b", "vit-l", "vit-h")


def counted_flops(module, *inputs, **named):
    with flop_counter.FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs, **named)
    return counter.get_total_flops()


def parameters_of(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.fixture(scope="session")
def reference(segment_anything):
    """Return a maker of SAM models on the meta device, which holds no numbers."""
    made = {}

    def make(variant):
        if variant.name not in made:
            with torch.device("meta"):
                made[variant.name] = build(segment_anything.modeling, variant)
        return made[variant.name]

    return make


def build(modeling, variant):
    encoder = modeling.ImageEncoderViT(
        img_size=variant.image_px,
        patch_size=variant.patch_px,
        embed_dim=variant.dim,
        depth=variant.depth,
        num_heads=variant.heads,
        mlp_ratio=variant.mlp_ratio,
        out_chans=variant.neck_channels,
        use_rel_pos=variant.relative_position,
        window_size=variant.window_tokens,
        global_attn_indexes=variant.global_blocks,
    )
    channels, grid = variant.neck_channels, variant.grid_tokens
    prompt_encoder = modeling.PromptEncoder(
        embed_dim=channels,
        image_embedding_size=(grid, grid),
        input_image_size=(variant.image_px, variant.image_px),
        mask_in_chans=16,
    )
    transformer = modeling.TwoWayTransformer(
        depth=2, embedding_dim=channels, mlp_dim=2048, num_heads=8
    )
    decoder = modeling.MaskDecoder(transformer_dim=channels, transformer=transformer)
    return encoder, prompt_encoder, decoder


def tokens_of(variant):
    grid = variant.grid_tokens
    return torch.empty(1, grid, grid, variant.dim, device="meta")


def work_of_block(variant, block):
    if block in variant.global_blocks:
        return costs.global_block(variant, variant.tokens)
    return costs.windowed_block(variant, len(windows(variant)), variant.tokens)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_block_costs_what_the_reference_computes(reference, name):
    variant = VARIANTS[name]
    encoder, _, _ = reference(variant)
    for index, block in enumerate(encoder.blocks):
        work = work_of_block(variant, index)
        assert 2 * work.macs == counted_flops(block, tokens_of(variant))
        assert work.parameters == parameters_of(block)


@pytest.mark.parametrize("name", VARIANTS)
def test_patch_embedding_and_neck_cost_what_the_reference_computes(reference, name):
    variant = VARIANTS[name]
    encoder, _, _ = reference(variant)
    image = torch.empty(1, 3, variant.image_px, variant.image_px, device="meta")
    patches = costs.patch_embedding(variant, variant.tokens)
    neck = costs.neck(variant, variant.tokens)
    assert 2 * patches.macs == counted_flops(encoder.patch_embed, image)
    assert patches.parameters == parameters_of(encoder.patch_embed) + encoder.pos_embed.numel()
    assert 2 * neck.macs == counted_flops(encoder.neck, tokens_of(variant).permute(0, 3, 1, 2))
    assert neck.parameters == parameters_of(encoder.neck)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_whole_encoder_costs_what_the_reference_computes(reference, name):
    variant = VARIANTS[name]
    encoder, _, _ = reference(variant)
    image = torch.empty(1, 3, variant.image_px, variant.image_px, device="meta")
    assert 2 * costs.encoder(variant).macs == counted_flops(encoder, image)
    assert costs.encoder(variant).parameters == parameters_of(encoder)


@pytest.mark.parametrize("prompts", [1, 3])
@pytest.mark.parametrize("name", ["vit-b", "small"])
def test_decoding_costs_what_the_reference_computes(reference, name, prompts):
    variant = VARIANTS[name]
    _, prompt_encoder, decoder = reference(variant)
    channels, grid = variant.neck_channels, variant.grid_tokens

    def decoding():
        # Boolean indexing of labels needs numbers, so points are embedded without their labels.
        places = torch.empty(prompts, 2, 2, device="meta")
        sparse = prompt_encoder.pe_layer.forward_with_coords(places, (1, 1))
        dense = prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        decoder(
            image_embeddings=torch.empty(1, channels, grid, grid, device="meta"),
            image_pe=prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense.expand(prompts, -1, grid, grid),
            multimask_output=False,
        )

    work = decode(variant, prompts)
    assert 2 * work.macs == counted_flops(decoding)
    assert work.parameters == parameters_of(prompt_encoder, decoder)


def test_the_tile_encoder_costs_what_the_reference_computes(reference):
    variant = TILE_ENCODER
    encoder, _, _ = reference(variant)
    block = costs.global_block(variant, variant.tokens)
    assert 2 * block.macs == counted_flops(encoder.blocks[0], tokens_of(variant))
    assert block.parameters == parameters_of(encoder.blocks[0])


@pytest.mark.parametrize("name", PAPER)
def test_a_formula_without_padding_would_fail_this_test(reference, name):
    variant = VARIANTS[name]
    encoder, _, _ = reference(variant)
    unpadded = costs.windowed_block(variant, 21, variant.tokens)  # 21 · 196 ≈ 4096
    counted = counted_flops(encoder.blocks[0], tokens_of(variant))
    assert 2 * unpadded.macs != pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize(
    ("name", "gmacs", "edge_share", "block_millions"),
    [("vit-b", 484, 0.46, 7.1), ("vit-l", 1488, 0.23, 12.6), ("vit-h", 2973, 0.17, 19.7)],
)
def test_totals_agree_with_the_published_table(name, gmacs, edge_share, block_millions):
    variant = VARIANTS[name]
    whole = costs.encoder(variant)
    edge = costs.global_block(variant, variant.tokens).times(4) + costs.neck(variant, 4096)
    assert whole.macs / 1e9 == pytest.approx(gmacs, rel=0.01)
    assert edge.macs / whole.macs == pytest.approx(edge_share, abs=0.005)
    assert work_of_block(variant, 0).parameters / 1e6 == pytest.approx(block_millions, abs=0.05)


def test_work_of_nothing_is_nothing():
    assert Work() + Work(1, 2, 3, 4) == Work(1, 2, 3, 4)
    assert Work(1, 2, 3, 4).times(2) == Work(2, 4, 6, 8)
    assert Work(1, 2, 3, 4).batched(2) == Work(2, 4, 3, 4)
