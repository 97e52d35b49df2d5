"""Modes that change the function, against the same function built from the reference's modules."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from real_runner.shards import weights
from real_runner.shards.architecture import empty_tile_encoder
from real_runner.shards.operators import import_segment_anything
from workloads.sam.geometry import windows
from workloads.sam.modes import rounds

THREE = ((0, 4, 8), (1, 2, 3), (5, 6, 7))


def owners(variant, shards):
    """Return for each token of the grid the number of the shard it belongs to, (grid²,)."""
    grid = np.zeros((variant.grid_tokens, variant.grid_tokens), dtype=int)
    for number, shard in enumerate(shards):
        for index in shard:
            w = windows(variant)[index]
            top, left = w.row * w.side_tokens, w.column * w.side_tokens
            grid[top : top + w.height_tokens, left : left + w.width_tokens] = number
    return torch.from_numpy(grid.ravel())


class Fenced(torch.nn.Module):
    """SAM's own attention over the whole grid, but blind for tokens of other shards."""

    def __init__(self, attention, owner):
        super().__init__()
        self.inner, self.fence = attention, owner[:, None] != owner[None, :]

    def forward(self, tokens):
        reference = import_segment_anything().modeling.image_encoder
        _, height, width, dim = tokens.shape
        heads = self.inner.num_heads
        qkv = self.inner.qkv(tokens).reshape(height * width, 3, heads, -1).permute(1, 2, 0, 3)
        scores = (qkv[0] * self.inner.scale) @ qkv[1].transpose(-2, -1)
        if self.inner.use_rel_pos:
            size = (height, width)
            tables = (self.inner.rel_pos_h, self.inner.rel_pos_w)
            scores = reference.add_decomposed_rel_pos(scores, qkv[0], *tables, size, size)
        scores = scores.masked_fill(self.fence, -torch.inf).softmax(-1)
        return self.inner.proj((scores @ qkv[2]).transpose(0, 1).reshape(1, height, width, dim))


def fenced(block, owner, tokens):
    """Return what a global block of the reference makes of tokens if shards are apart."""
    tokens = tokens + Fenced(block.attn, owner)(block.norm1(tokens))
    return tokens + block.mlp(block.norm2(tokens))


def embedded(world, encoder):
    return encoder.patch_embed(world.image_tensor()) + encoder.pos_embed


def test_deferred_is_all_windowed_blocks_and_then_all_global_ones(odd, run_rounds):
    encoder, variant = odd.reference.image_encoder, odd.sam.variant
    with torch.inference_mode():
        tokens = embedded(odd, encoder)
        for index in (*variant.windowed_blocks, *variant.global_blocks):
            tokens = encoder.blocks[index](tokens)
        wanted = encoder.neck(tokens.permute(0, 3, 1, 2)).numpy()
    edge = run_rounds(odd, rounds(odd.sam, "deferred"), THREE)
    np.testing.assert_allclose(odd.embedding(edge), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("upload", ["pixels", "embeddings"])
def test_local_is_global_attention_that_sees_only_the_own_shard(odd, run_rounds, upload):
    encoder, variant = odd.reference.image_encoder, odd.sam.variant
    owner = owners(variant, THREE)
    with torch.inference_mode():
        tokens = embedded(odd, encoder)
        for index, block in enumerate(encoder.blocks):
            is_global = index in variant.global_blocks
            tokens = fenced(block, owner, tokens) if is_global else block(tokens)
        wanted = encoder.neck(tokens.permute(0, 3, 1, 2)).numpy()
    edge = run_rounds(odd, rounds(odd.sam, "local-attention", upload=upload), THREE)
    np.testing.assert_allclose(odd.embedding(edge), wanted, rtol=0, atol=1e-10)


def test_local_with_one_shard_is_the_unsplit_model(odd, odd_embedding, run_rounds):
    edge = run_rounds(odd, rounds(odd.sam, "local-attention"), (odd.sam.whole,))
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def small_encoder(odd):
    encoder = empty_tile_encoder(odd.sam.variant)
    prefix = weights.TILE_PREFIX
    state = weights.load(odd.path, odd.sam.variant)
    mine = {n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)}
    encoder.load_state_dict(mine, assign=True)
    return encoder.double()


def test_image_mode_with_one_tile_is_the_small_encoder_on_the_image(odd, small_encoder, run_rounds):
    with torch.inference_mode():
        wanted = small_encoder(odd.image_tensor()).numpy()
    edge = run_rounds(odd, rounds(odd.sam, "image"), (odd.sam.whole,))
    np.testing.assert_allclose(odd.embedding(edge, depth=12), wanted, rtol=0, atol=1e-10)


def test_image_mode_runs_the_small_encoder_on_each_tile_alone(odd, small_encoder, run_rounds):
    owner = owners(odd.sam.variant, THREE)
    grid = odd.sam.variant.grid_tokens
    with torch.inference_mode():
        tokens = embedded(odd, small_encoder)
        for block in small_encoder.blocks:
            tokens = fenced(block, owner, tokens)
        narrow, norm, around, last = small_encoder.neck
        middle = norm(narrow(tokens.permute(0, 3, 1, 2)))
        wanted = torch.zeros_like(middle)
        for number in range(len(THREE)):
            mine = (owner == number).view(1, 1, grid, grid)
            wanted += last(around(middle * mine)) * mine
    edge = run_rounds(odd, rounds(odd.sam, "image"), THREE)
    np.testing.assert_allclose(odd.embedding(edge, depth=12), wanted.numpy(), rtol=0, atol=1e-10)


def test_image_mode_ends_with_masks(odd, run_rounds):
    edge = run_rounds(odd, rounds(odd.sam, "image"), THREE)
    assert 0 < np.unpackbits(odd.mask(edge)).mean() < 1


def test_shards_of_local_do_differ_from_the_unsplit_model(odd, odd_embedding, run_rounds):
    """So the tests above would notice a shard that saw too much."""
    errors = []
    for shards in ((odd.sam.whole,), THREE, tuple((w,) for w in odd.sam.whole)):
        edge = run_rounds(odd, rounds(odd.sam, "local-attention"), shards)
        errors.append(np.abs(odd.embedding(edge) - odd_embedding).mean())
    assert all(less < more for less, more in pairwise(errors))
