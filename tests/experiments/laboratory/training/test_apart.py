"""Shards that are apart: what is trained is what nodes compute for themselves."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training.apart import Division, drawn
from experiments.laboratory.training.forward import embeddings, levels
from experiments.laboratory.training.lessons import examination
from real_runner.shards.architecture import new_sam
from real_runner.shards.encoder import Encoder
from workloads.sam.geometry import all_windows, windows
from workloads.sam.variants import Variant
from workloads.scenes import Look

# Windows of 3 leave a border of 1 token at the right and the bottom.
TINY = Variant("tiny", 32, 4, 2, (1, 3), window_tokens=3, image_px=64)
WINDOWS = len(windows(TINY))


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    made = new_sam(TINY).eval()
    for name, each in made.named_parameters():
        if "rel_pos" in name:  # zeros at first, which would prove nothing
            torch.nn.init.normal_(each, std=0.3)
    return made


@pytest.fixture(scope="module")
def picture():
    return examination(Look(side_px=64), 0, "validate", 1, "box").picture[None]


def made(sam, picture, order, owners=None, pool=0):
    division = None if owners is None else Division(torch.tensor([owners]), pool)
    with torch.inference_mode():
        return embeddings(sam, levels(sam, TINY, picture, order, division))


def test_local_attention_is_what_each_node_computes_alone(sam, picture):
    owners = [0, 1, 0, 1]
    encoder = Encoder(TINY, sam.image_encoder)
    rows = []
    with torch.inference_mode():
        tokens = sam.image_encoder.patch_embed((picture.float() - sam.pixel_mean) / sam.pixel_std)
        tokens = (tokens + sam.image_encoder.pos_embed)[0]
        whole = torch.zeros(TINY.tokens, TINY.dim)
        place = torch.arange(TINY.tokens).view(TINY.grid_tokens, TINY.grid_tokens)
        for node in (0, 1):
            shard = tuple(w for w in range(WINDOWS) if owners[w] == node)
            rows = torch.cat(
                [place[rows_of(w)].flatten() for w in map(windows(TINY).__getitem__, shard)]
            )
            mine = tokens.reshape(TINY.tokens, -1)[rows]
            for block in range(TINY.depth):
                if block in TINY.global_blocks:
                    mine = encoder.attending(mine, shard, block)
                else:
                    mine = encoder.windowed(mine, shard, (block,))
            whole[rows] = mine
        grid = whole.view(1, TINY.grid_tokens, TINY.grid_tokens, -1)
        wanted = sam.image_encoder.neck(grid.permute(0, 3, 1, 2))
    torch.testing.assert_close(
        made(sam, picture, "local-attention", owners), wanted, atol=1e-5, rtol=0
    )


def rows_of(window):
    top, left = window.row * window.side_tokens, window.column * window.side_tokens
    return slice(top, top + window.height_tokens), slice(left, left + window.width_tokens)


def test_landmarks_of_one_token_each_show_everything(sam, picture):
    unsplit = made(sam, picture, "unsplit")
    finest = made(sam, picture, "landmark", range(WINDOWS), pool=1)
    torch.testing.assert_close(finest, unsplit, atol=1e-5, rtol=0)
    for owners, pool in ((range(WINDOWS), 4), (range(WINDOWS), 0)):
        assert not torch.allclose(made(sam, picture, "landmark", owners, pool), unsplit, atol=1e-2)


def test_a_node_with_everything_is_the_unsplit_model(sam, picture):
    unsplit = made(sam, picture, "unsplit")
    for pool in (0, 4):
        alone = made(sam, picture, "landmark", [7] * WINDOWS, pool)
        torch.testing.assert_close(alone, unsplit, atol=1e-5, rtol=0)


def test_windows_are_dealt_evenly_to_as_many_as_are_drawn():
    small = Variant("s", 32, 4, 2, (1, 3), window_tokens=4, image_px=256)
    dealt = drawn(small, (2, 4, 16), np.random.default_rng(0), 200).numpy()
    counts = [np.bincount(row) for row in dealt]
    assert {len(count) for count in counts} == {2, 4, 16}
    assert all(count.min() == count.max() for count in counts)
    assert len({tuple(row) for row in dealt.tolist()}) == 200
    assert len(all_windows(small)) == dealt.shape[1]
