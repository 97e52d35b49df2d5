import pytest
import torch

from real_runner.shards import attention
from real_runner.shards.attention import Groups, Positions, attend, attend_in_windows
from real_runner.shards.places import areas, coordinates
from workloads.sam.variants import Variant

HEADS, WIDTH = 3, 8
LAYOUT = Variant("layout", 24, 1, HEADS, (), window_tokens=6, image_px=256)


def drawn(*shape):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64
    )


def by_definition(queries, keys, values, tables, places):
    """Return softmax(QKᵀ/√d + q·R[row distance] + q·R[column distance])V, number by number."""
    rows, columns = places
    middle = len(tables[0]) // 2
    down = tables[0][rows[:, None] - rows[None, :] + middle]
    right = tables[1][columns[:, None] - columns[None, :] + middle]
    scores = queries @ keys.transpose(-2, -1) * WIDTH**-0.5
    scores = scores + torch.einsum("hqc,qkc->hqk", queries, down + right)
    return (scores.softmax(-1) @ values).transpose(0, 1).flatten(1)


@pytest.mark.parametrize("at_once", [7, 256])
@pytest.mark.parametrize("shard", [(0,), (8,), (5, 2), (8, 0, 4), tuple(range(9))])
def test_attention_is_that_of_the_definition_wherever_tokens_lie(monkeypatch, shard, at_once):
    monkeypatch.setattr(attention, "QUERIES_AT_ONCE", at_once)
    rows, columns = (torch.from_numpy(index) for index in coordinates(LAYOUT, shard))
    queries, keys, values = (drawn(HEADS, len(rows), WIDTH) * s for s in (1, 2, 3))
    tables = drawn(31, WIDTH), drawn(31, WIDTH) * 2
    positions = Positions(*tables)
    ours = attend(
        queries, keys, values, areas(LAYOUT, shard), (positions, positions.offsets(rows, columns))
    )
    wanted = by_definition(queries, keys, values, tables, (rows, columns))
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-12)


def test_attention_without_positions_is_plain():
    queries, keys, values = (drawn(HEADS, 20, WIDTH) * s for s in (1, 2, 3))
    zero = torch.zeros(31, WIDTH, dtype=torch.float64)
    places = torch.zeros(20, dtype=torch.int64), torch.zeros(20, dtype=torch.int64)
    wanted = by_definition(queries, keys, values, (zero, zero), places)
    torch.testing.assert_close(attend(queries, keys, values), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("all_biases", [0, 1024])
@pytest.mark.parametrize("has_positions", [True, False])
def test_n_equal_keys_weigh_as_one_that_stands_for_n(monkeypatch, has_positions, all_biases):
    """Tokens of a window have one key and value between them, and biases that are averaged."""
    monkeypatch.setattr(attention, "QUERIES_FOR_ALL_BIASES", all_biases)
    mine, other = (0, 4), (8,)
    places = [torch.from_numpy(index) for index in coordinates(LAYOUT, mine)]
    there = [torch.from_numpy(index) for index in coordinates(LAYOUT, other)]
    own, n = len(places[0]), len(there[0])
    queries, keys, values = (drawn(HEADS, own, WIDTH) * s for s in (1, 2, 3))
    key, value = drawn(HEADS, 1, WIDTH) * 5, drawn(HEADS, 1, WIDTH) * 7
    positions = Positions(drawn(31, WIDTH), drawn(31, WIDTH) * 2)
    offsets = positions.offsets(*places)
    shares = torch.zeros(1, 32, dtype=torch.float64)
    for row, column in zip(*there, strict=True):
        shares[0, row] += 1 / n
        shares[0, 16 + column] += 1 / n
    bias = torch.zeros(HEADS, own, own + n, dtype=torch.float64)
    if has_positions:
        down, right = positions.biases(queries, offsets)
        rows, columns = (torch.cat(pair) for pair in zip(places, there, strict=True))
        bias = down[:, :, rows] + right[:, :, columns]
        bias[:, :, own:] = bias[:, :, own:].mean(-1, keepdim=True)
    every = (
        torch.cat([keys, key.expand(-1, n, -1)], 1),
        torch.cat([values, value.expand(-1, n, -1)], 1),
    )
    scores = queries @ every[0].transpose(-2, -1) * WIDTH**-0.5 + bias
    wanted = (scores.softmax(-1) @ every[1]).transpose(0, 1).flatten(1)

    def ours(count):
        return attend(
            queries, torch.cat([keys, key], 1), torch.cat([values, value], 1),
            areas(LAYOUT, mine), (positions, offsets) if has_positions else None,
            Groups(torch.tensor([float(count)], dtype=torch.float64).log(), shares),
        )  # fmt: skip

    torch.testing.assert_close(ours(n), wanted, rtol=0, atol=1e-12)
    assert (ours(1) - wanted).abs().max() > 1e-3


def test_attention_in_windows_is_that_of_each_window():
    side, count = 5, 4
    qkv = drawn(3, count, HEADS, side * side, WIDTH)
    rows = torch.arange(side).repeat_interleave(side)
    columns = torch.arange(side).repeat(side)
    tables = drawn(2 * side - 1, WIDTH), drawn(2 * side - 1, WIDTH) * 2
    positions = Positions(*tables)
    some = torch.tensor([0, 1, 2, 5, 6, 7])  # as where a window ends at the image's edge
    relative = positions, positions.offsets(rows[some], columns[some])
    ours = attend_in_windows(qkv[0][:, :, some], qkv[1], qkv[2], relative)
    for window in range(count):
        each = by_definition(*qkv[:, window], tables, (rows, columns))
        torch.testing.assert_close(ours[window], each[some], rtol=0, atol=1e-12)
