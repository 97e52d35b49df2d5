import pytest
import torch

from real_runner.shards import attention
from real_runner.shards.attention import Positions, attend, attend_in_windows
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
