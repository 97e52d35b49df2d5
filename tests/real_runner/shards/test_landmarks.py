"""Mode `landmark` through the executor, against the unsplit model and against its definition."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from real_runner.errors import StepError
from real_runner.executor import expected_shape
from real_runner.shards.landmarks import bounds, bounds_of_count, pooled
from real_runner.shards.operators import import_segment_anything
from tests.real_runner.shards.conftest import make_world, reference_embedding
from workloads.sam.landmark import landmark_count
from workloads.sam.modes import rounds
from workloads.sam.variants import VARIANTS, Variant
from workloads.stage import Payload

THREE = ((0, 4, 8), (1, 2, 3), (5, 6, 7))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_world(VARIANTS["small"], tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small_embedding(small):
    return reference_embedding(small)


def divided(sam, count):
    return tuple(shard for n in range(count) if (shard := sam.whole[n::count]))


def play(world, sharding, shards, dtype="fp64"):
    """Run a sharded request on one executor, the edge as job 0, each cloud as a job of its own."""
    node = world.origin(node=world.node(dtype))
    node.run(0, sharding.before)
    go_round(node, sharding, shards)
    return node


def go_round(node, sharding, shards):
    for trip in sharding.rounds:
        for cloud, shard in enumerate(shards, 1):
            node.put(cloud, trip.up(shard), node.get(0, trip.up(shard)))
            node.run(cloud, (trip.compute(shard),))
            node.put(0, trip.down(shard), node.get(cloud, trip.down(shard)))
        node.run(0, trip.edge)


def windows_in_tokens(variant):
    """Return the grid indices of each window's tokens, row by row, worked out anew."""
    grid, side = variant.grid_tokens, variant.window_tokens
    starts = range(0, grid, side)
    return [
        [
            row * grid + column
            for row in range(top, min(top + side, grid))
            for column in range(left, min(left + side, grid))
        ]
        for top in starts
        for left in starts
    ]


@pytest.mark.parametrize("count", [2, 4, 16])
def test_landmarks_of_single_tokens_make_it_the_unsplit_model(small, small_embedding, count):
    edge = play(small, rounds(small.sam, "landmark", pool=1), divided(small.sam, count))
    np.testing.assert_allclose(small.embedding(edge), small_embedding, rtol=0, atol=1e-10)


@pytest.mark.parametrize("upload", ["pixels", "embeddings"])
@pytest.mark.parametrize("count", [2, 4, 9])
def test_so_they_do_where_windows_are_padded(odd, odd_embedding, count, upload):
    sharding = rounds(odd.sam, "landmark", pool=1, upload=upload)
    edge = play(odd, sharding, divided(odd.sam, count))
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


def test_so_they_do_where_scores_are_made_a_few_queries_at_a_time(thin, thin_embedding):
    edge = play(thin, rounds(thin.sam, "landmark", pool=1), divided(thin.sam, 2))
    np.testing.assert_allclose(thin.embedding(edge), thin_embedding, rtol=0, atol=1e-10)


@pytest.mark.parametrize("count", [2, 4, 16])
def test_so_they_do_in_single_precision(small, small_embedding, count):
    sharding = rounds(small.sam, "landmark", pool=1)
    node = play(small, sharding, divided(small.sam, count), dtype="fp32")
    assert 0 < np.abs(small.embedding(node) - small_embedding).max() < 1e-4


@pytest.mark.parametrize("pool", [1, 5, 36, 1000])
def test_with_one_shard_it_is_the_unsplit_model_whatever_the_pool(odd, odd_embedding, pool):
    edge = play(odd, rounds(odd.sam, "landmark", pool=pool), (odd.sam.whole,))
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


@pytest.mark.parametrize("has_positions", [True, False])
def test_global_blocks_may_stand_anywhere(tmp_path, has_positions):
    """First, last, one after the other; and begun again on other shards of the same nodes."""
    variant = Variant(
        "dense", 48, 4, 3, (0, 1, 3), window_tokens=6, image_px=256, relative_position=has_positions
    )
    world = make_world(variant, tmp_path)
    sharding, expected = rounds(world.sam, "landmark", pool=1), reference_embedding(world)
    node = play(world, sharding, THREE)
    np.testing.assert_allclose(world.embedding(node), expected, rtol=0, atol=1e-10)
    go_round(node, sharding, ((0, 1, 2), (3, 4, 5, 6), (7, 8)))
    np.testing.assert_allclose(world.embedding(node), expected, rtol=0, atol=1e-10)


class Summarised(torch.nn.Module):
    """SAM's own attention over the whole grid, with foreign keys and scores averaged afterwards.

    Every query's scores of foreign keys, relative positions included, are averaged per landmark,
    score by score, so nothing here relies on scores being linear in keys.
    """

    def __init__(self, attention, variant, shards, pool, *, weighs=True, swapped=()):
        super().__init__()
        self.inner, self.weighs, self.swapped = attention, weighs, swapped
        self.windows, self.shards, self.pool = windows_in_tokens(variant), shards, pool

    def forward(self, tokens):
        _, height, width, dim = tokens.shape
        qkv = self.inner.qkv(tokens).reshape(height * width, 3, self.inner.num_heads, -1)
        queries, keys, values = qkv.permute(1, 2, 0, 3)
        scores = (queries * self.inner.scale) @ keys.transpose(-2, -1)
        tables = (self.inner.rel_pos_h, self.inner.rel_pos_w)
        reference = import_segment_anything().modeling.image_encoder
        size = (height, width)
        scores = reference.add_decomposed_rel_pos(scores, queries, *tables, size, size)
        result = torch.empty(height * width, dim, dtype=tokens.dtype)
        for shard in self.shards:
            mine = [token for window in shard for token in self.windows[window]]
            every = self.columns(scores[:, mine], values, shard, mine)
            met, of_them = (
                torch.cat(parts, dim) for parts, dim in zip(every, (-1, 1), strict=True)
            )
            attended = met.softmax(-1) @ of_them
            result[mine] = attended.transpose(0, 1).flatten(1)
        return self.inner.proj(result.view(1, height, width, dim))

    def columns(self, scores, values, shard, mine):
        """Return scores of own keys and of others' landmarks, and the values beside them."""
        met, of_them = [scores[:, :, mine]], [values[:, mine]]
        for window in range(len(self.windows)):
            if window not in shard:
                source = dict(self.swapped).get(window, window)
                for group in torch.tensor(self.windows[window]).split(self.pool):
                    mean = scores[:, :, group].mean(-1, keepdim=True)
                    met.append(mean + np.log(len(group)) if self.weighs else mean)
                groups = torch.tensor(self.windows[source]).split(self.pool)
                of_them += [values[:, group].mean(1, keepdim=True) for group in groups]
        return met, of_them


def summarised(world, shards, pool, **choices):
    """Return the embedding of the reference whose global attention sees others' landmarks."""
    encoder, variant = world.reference.image_encoder, world.sam.variant
    with torch.inference_mode():
        tokens = encoder.patch_embed(world.image_tensor()) + encoder.pos_embed
        for index, block in enumerate(encoder.blocks):
            if index in variant.global_blocks:
                attention = Summarised(block.attn, variant, shards, pool, **choices)
                tokens = tokens + attention(block.norm1(tokens))
                tokens = tokens + block.mlp(block.norm2(tokens))
            else:
                tokens = block(tokens)
        return encoder.neck(tokens.permute(0, 3, 1, 2)).numpy()


@pytest.mark.parametrize("pool", [2, 7, 16, 36])
def test_averages_weigh_as_many_as_they_stand_for(odd, pool):
    edge = play(odd, rounds(odd.sam, "landmark", pool=pool), THREE)
    wanted = summarised(odd, THREE, pool)
    np.testing.assert_allclose(odd.embedding(edge), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("wrong", [{"weighs": False}, {"swapped": ((0, 1), (1, 0))}])
def test_other_weights_and_other_windows_values_are_told_apart(odd, wrong):
    """So the test above would notice a landmark that weighs as one, and one in the wrong place."""
    edge = play(odd, rounds(odd.sam, "landmark", pool=7), THREE)
    assert np.abs(odd.embedding(edge) - summarised(odd, THREE, 7, **wrong)).max() > 1e-4


def test_landmarks_in_the_wrong_order_are_told_apart(odd):
    """Two windows' keys and values are exchanged on their way: nothing is exact any more."""
    trip = rounds(odd.sam, "landmark", pool=1).rounds[1]
    node = play(odd, rounds(odd.sam, "landmark", pool=1), THREE)
    up, down = trip.up(THREE[0]), trip.down(THREE[0])
    right, rows = node.get(1, down).copy(), node.get(0, up)
    for sent, differs in (
        (rows, False),
        (np.concatenate([rows[72:144], rows[:72], rows[144:]]), True),
    ):
        node.put(1, up, sent)
        node.run(1, (trip.compute(THREE[0]),))
        assert (np.abs(node.get(1, down) - right).max() > 1e-4) == differs


def test_finer_landmarks_come_nearer_to_the_unsplit_model(odd, odd_embedding):
    errors = []
    for mode, choices in (("landmark", {"pool": 1}), ("landmark", {"pool": 6}),
                          ("landmark", {"pool": 36}), ("local-attention", {})):  # fmt: skip
        edge = play(odd, rounds(odd.sam, mode, **choices), THREE)
        errors.append(np.abs(odd.embedding(edge) - odd_embedding).mean())
    assert all(less < more for less, more in pairwise(errors))


def test_landmarks_are_averages_in_the_order_of_rows_each_key_before_its_value(odd):
    sharding = rounds(odd.sam, "landmark", pool=10)
    trip, cloud = sharding.rounds[0], odd.origin()
    shard = (8, 4)  # 16 and 36 tokens
    cloud.run(0, (trip.compute(shard),))
    sent = cloud.get(0, trip.down(shard))
    assert sent.shape == (2 * (2 + 4), 48) == expected_shape(trip.down(shard))
    qkv = cloud.get(0, Payload("qkv", shard, 3 * 52 * 48, 3 * 52, 1)).reshape(52, 3, 48)
    groups = (range(10), range(10, 16), range(16, 26), range(26, 36), range(36, 46), range(46, 52))
    wanted = np.concatenate([qkv[list(group), 1:].mean(0) for group in groups])
    np.testing.assert_allclose(sent, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pool", [1, 5, 6, 16, 35, 36, 500])
@pytest.mark.parametrize("shard", [(0,), (8, 4), tuple(range(9))])
def test_how_many_landmarks_there_are_tells_whose_they_are(odd, shard, pool):
    count = landmark_count(odd.sam.variant, pool, shard)
    assert bounds_of_count(odd.sam.variant, shard, count) == bounds(odd.sam.variant, shard, pool)
    assert len(pooled(torch.zeros(256, 4), odd.sam.variant, odd.sam.whole, pool)) == landmark_count(
        odd.sam.variant, pool, odd.sam.whole
    )


@pytest.mark.parametrize(
    ("payload", "array", "message"),
    [
        (Payload("landmarks", (0,), 5 * 48, 5), np.zeros((5, 48)), "5 rows, as no pooling makes"),
        (Payload("landmarks", (0,), 22 * 48, 22), np.zeros((22, 48)), "22 rows, as no pooling"),
        (Payload("landmarks", (0,), 74 * 48, 74), np.zeros((74, 48)), "74 rows, as no pooling"),
        (Payload("landmarks", (0,)), np.zeros((0, 48)), "0 rows, as no pooling makes"),
        (Payload("landmarks", (0,), 4 * 48, 4), np.zeros((4, 47)), r"\(4, 47\); give \(4, 48\)"),
        (Payload("landmarks", (0,), 4 * 48, 4), np.zeros((2, 48)), r"\(2, 48\); give \(4, 48\)"),
        (Payload("landmarks", (0,), 4 * 48, 4), np.full((4, 48), np.nan), "are not finite"),
        (Payload("landmarks", (9,), 4 * 48, 4), np.zeros((4, 48)), r"landmarks: shard: \(9,\)"),
        (Payload("landmarks", ()), np.zeros((4, 48)), "landmarks of no windows: shape"),
    ],
)
def test_malformed_landmarks_are_refused(odd, payload, array, message):
    with pytest.raises(StepError, match=message):
        odd.node().put(0, payload, array)


def test_an_exchange_lacks_the_windows_that_are_not_back(odd):
    sharding = rounds(odd.sam, "landmark", pool=6)
    trip, edge = sharding.rounds[0], odd.node()
    down = trip.down((0, 1, 2, 3, 4, 5, 7))
    edge.put(0, down, np.zeros(expected_shape(down)))
    message = r"sam.exchange: needs landmarks after 1 blocks, but windows \(6, 8\) are missing"
    with pytest.raises(StepError, match=message):
        edge.run(0, trip.edge)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((), "^sam.landmark: has no setting 'pool'; give it one"),
        ((("pool", 0),), "pool 0; give a whole number from 1 to 36"),
        ((("pool", 37),), "pool 37; give a whole number from 1 to 36"),
        ((("pool", 2.5),), "pool 2.5; give a whole number"),
        ((("pool", np.inf),), "pool inf; give a whole number"),
        ((("pool", 5),), r"6 landmarks after 1 blocks of windows .*, but pool 5 makes 8"),
    ],
)
def test_a_pool_that_is_none_or_another_is_refused(odd, settings, message):
    sharding, shard = rounds(odd.sam, "landmark", pool=6), odd.sam.whole[1:]
    first, second = sharding.rounds[:2]
    cloud = odd.origin()
    cloud.run(0, (first.compute(shard),))
    up = second.up(shard)
    cloud.put(0, up, np.zeros(expected_shape(up)))
    with pytest.raises(StepError, match=message):
        cloud.run(0, (replace(second.compute(shard), settings=settings),))


def test_asking_for_landmarks_of_another_pool_is_refused(odd):
    node = odd.origin()
    node.run(0, (rounds(odd.sam, "landmark", pool=6).rounds[0].compute((0,)),))
    other = rounds(odd.sam, "landmark", pool=9).rounds[0].down((0,))
    with pytest.raises(StepError, match=r"384 numbers wanted, here lie 576"):
        node.get(0, other)


def test_rounds_begun_again_on_other_shards_do_not_take_what_earlier_ones_left(odd):
    """A cloud that is lost sends the request back to its first round, its windows elsewhere."""
    sharding = rounds(odd.sam, "landmark", pool=6)
    node = play(odd, sharding, THREE)
    two = ((0, 2, 4, 6, 8), (1, 3, 5, 7))
    go_round(node, sharding, two)
    np.testing.assert_allclose(odd.embedding(node), summarised(odd, two, 6), rtol=0, atol=1e-10)
