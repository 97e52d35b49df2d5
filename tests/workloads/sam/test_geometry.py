from collections import Counter
from itertools import combinations

import pytest

from workloads.errors import WorkloadError
from workloads.sam.geometry import adjacent, all_windows, shard_tokens, windows
from workloads.sam.variants import VARIANTS


def test_the_paper_grid_has_sixteen_full_eight_border_and_one_corner_window():
    sizes = Counter((w.height_px, w.width_px) for w in windows(VARIANTS["vit-b"]))
    assert sizes == {(224, 224): 16, (224, 128): 4, (128, 224): 4, (128, 128): 1}


@pytest.mark.parametrize("name", VARIANTS)
def test_windows_cover_every_pixel_exactly_once(name):
    variant = VARIANTS[name]
    seen = Counter(
        (row, column)
        for window in windows(variant)
        for row in range(window.top_px, window.top_px + window.height_px, variant.patch_px)
        for column in range(window.left_px, window.left_px + window.width_px, variant.patch_px)
    )
    assert len(seen) == variant.tokens
    assert set(seen.values()) == {1}
    assert sum(window.fraction for window in windows(variant)) == pytest.approx(1)
    assert sum(window.tokens for window in windows(variant)) == variant.tokens


def test_a_full_window_shows_under_a_twentieth_of_the_image():
    first, *_, corner = windows(VARIANTS["vit-b"])
    assert first.pixels == 50_176
    assert first.fraction == pytest.approx(0.048, abs=0.0005)
    assert (first.tokens, first.padded_tokens) == (196, 196)
    assert (corner.tokens, corner.padded_tokens) == (64, 196)


def test_the_small_grid_needs_no_padding():
    assert [(w.tokens, w.padded_tokens) for w in windows(VARIANTS["small"])] == [(16, 16)] * 16


def test_a_window_index_is_its_place():
    for variant in VARIANTS.values():
        assert [window.index for window in windows(variant)] == list(all_windows(variant))


def test_adjacency_counts_corners_and_is_symmetric():
    grid = windows(VARIANTS["vit-b"])
    pairs = [(a, b) for a, b in combinations(grid, 2) if adjacent(a, b)]
    assert len(pairs) == 2 * 5 * 4 + 2 * 4 * 4  # sides, and both diagonals of each 2×2
    assert all(adjacent(b, a) for a, b in pairs)
    assert not adjacent(grid[0], grid[0])
    assert not adjacent(grid[4], grid[5])  # end of one row, start of the next


@pytest.mark.parametrize("shard", [(25,), (-1,), (3, 3)])
def test_a_shard_of_unknown_or_repeated_windows_is_refused(shard):
    with pytest.raises(WorkloadError, match=r"shard: .*each window once.*0 to 24"):
        shard_tokens(VARIANTS["vit-b"], shard)
