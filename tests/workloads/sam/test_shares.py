"""Mode `shares` as costs and payloads, against formulas."""

import pickle
from itertools import pairwise

import pytest

from workloads.errors import WorkloadError
from workloads.sam import costs
from workloads.sam.model import Sam
from workloads.sam.shares import LAYERS, arithmetic, finished_layer, layers, shared_rounds
from workloads.sam.variants import VARIANTS

B = Sam(VARIANTS["vit-b"])


def everything(sam, shares=3, attempt=0):
    return shared_rounds(sam, shares, sam.variant.depth, attempt)


def test_there_is_a_round_for_the_patch_embedding_and_four_per_block():
    rounds = everything(B)
    assert len(rounds) == 1 + 4 * 12
    assert [part.layer.name for part in rounds[:6]] == [*LAYERS, "qkv"]
    assert [part.layer.place for part in rounds] == list(range(49))
    assert len(shared_rounds(B, 2, 0)) == 1


@pytest.mark.parametrize("name", VARIANTS)
def test_traffic_is_eight_bytes_per_number_each_way_and_share(name):
    sam = Sam(VARIANTS[name])
    dim, depth, tokens = sam.variant.dim, sam.variant.depth, sam.variant.tokens
    rounds = everything(sam, shares=3)
    up = sum(payload.fixed_bytes for part in rounds for payload in part.up)
    down = sum(payload.fixed_bytes for part in rounds for payload in part.down)
    assert up == 3 * 8 * tokens * (768 + depth * (1 + 1 + 1 + 4) * dim)
    assert down == 3 * 8 * tokens * (dim + depth * (3 + 1 + 4 + 1) * dim)
    assert all(payload.elements == 0 for part in rounds for payload in part.up + part.down)


def test_shares_show_no_part_of_the_input_and_mix_nothing():
    for part in everything(B):
        for payload in (*part.up, *part.down):
            assert payload.shard == ()
            assert not payload.mixes


@pytest.mark.parametrize("name", VARIANTS)
def test_clouds_do_every_linear_layer_as_often_as_there_are_shares(name):
    sam = Sam(VARIANTS[name])
    variant = sam.variant
    block = 12 * variant.dim**2 * variant.tokens  # multiply-accumulates of four layers
    patches = variant.dim * 768 * variant.tokens
    done = sum(stage.flops for part in everything(sam) for stage in part.compute)
    assert done == 3 * (8 + 7 + 6 + 5) * 2 * (patches + variant.depth * block)


def test_the_edge_is_left_with_attention_neck_and_decoder():
    variant = B.variant
    edge = sum(stage.flops for part in everything(B) for stage in (part.share, *part.edge))
    padded = 25 * 196
    windowed = costs.attend(variant, padded, padded, 14, keys_per_query=196)
    whole = costs.attend(variant, 4096, 4096, 64)
    assert edge == (2.0 * (8 * windowed.macs + 4 * whole.macs) + B.neck().flops + B.decode().flops)


def test_how_devices_multiply_follows_from_the_precision():
    for precision, at, macs in (("fp32", "fp32", 6), ("fp16", "int8", 26), ("bf16", "int8", 26)):
        stage = everything(Sam(VARIANTS["small"], precision=precision))[1].compute[0]
        assert stage.precision == at
        assert stage.flops == 2 * macs * 256 * 192 * 576
        assert stage.launches == arithmetic(precision).products


def test_memory_of_the_first_round_by_hand():
    part = shared_rounds(Sam(VARIANTS["vit-b"], precision="fp32"), 2, 0)[0]
    numbers = 4096 * 768
    assert part.share.memory_bytes == 4 * numbers + 2 * 8 * numbers
    assert part.compute[0].memory_bytes == 8 * 2 * numbers + 4 * 768 * 768
    assert part.edge[0].memory_bytes == 2 * 8 * numbers + 4 * (numbers + numbers + 768)


def test_what_is_not_shared_runs_as_ever():
    rounds = shared_rounds(B, 2, 2)
    rest = rounds[-1].edge[1:]
    wanted = [link.stage for link in B.chain[3:]]
    assert list(rest) == wanted
    done = [b for part in rounds for s in (*part.edge, *part.compute[:1]) for b in s.blocks]
    assert set(done) == set(range(12))


@pytest.mark.parametrize("shares", [2, 5])
def test_no_number_comes_twice_in_all_plans_of_a_request(shares):
    numbers = [
        payload.first
        for attempt in range(3)
        for part in everything(B, shares, attempt)
        for payload in part.up
    ]
    assert numbers == list(range(3 * 49 * shares))
    for part in everything(B, shares, 2):
        assert len({payload.first // shares for payload in part.up}) == 1
        assert [p.first for p in part.up] == [p.first for p in part.down]
        assert [p.first for p in part.up] == [s.setting("number") for s in part.compute]
        assert part.share.setting("sharing") * shares == part.up[0].first


def test_a_layer_is_known_by_what_puts_it_together_in_any_plan():
    for early, late in zip(everything(B), everything(B, attempt=4), strict=True):
        assert early.edge[0] != late.edge[0]
        assert finished_layer(early.edge[0]) == finished_layer(late.edge[0])
        assert finished_layer(early.edge[0]) == (early.layer.name, early.layer.blocks)
        assert finished_layer(early.share) is None
    found = [finished_layer(part.edge[0]) for part in everything(B)]
    assert len(set(found)) == 49
    assert all(one != other for one, other in pairwise(found))


def test_rounds_are_remembered_and_travel_between_processes():
    rounds = everything(B)
    assert everything(Sam(VARIANTS["vit-b"])) is rounds
    assert pickle.loads(pickle.dumps(rounds)) == rounds  # noqa: S301 (our own bytes)


@pytest.mark.parametrize("blocks", [-1, 13])
def test_blocks_that_there_are_not(blocks):
    with pytest.raises(WorkloadError, match=rf"blocks: {blocks}; give 0 .* to 12, the blocks of"):
        layers(B.variant, blocks)


def test_a_single_share_is_no_secret():
    with pytest.raises(WorkloadError, match="shares: 1; give at least 2"):
        shared_rounds(B, 1, 0)
