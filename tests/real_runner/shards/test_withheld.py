"""Mean colours that stay at the edge: what clouds see instead, and that nothing is lost by it."""

from functools import partial

import numpy as np
import pytest

from real_runner.errors import StepError
from real_runner.shards import pixels
from workloads.sam import costs
from workloads.sam.geometry import windows
from workloads.sam.modes import rounds
from workloads.sam.sharding import Sharding
from workloads.sam.withholding import NOTHING, Withheld
from workloads.stage import Round


def embedding_only(sam, withheld):
    """Return a way to run SAM whose clouds embed patches, and nothing else."""
    chain = [link.stage for link in sam.chain]
    trip = Round(
        up=sam.pixels,
        compute=partial(sam.stage, "patch_embed", costs.patch_embedding(sam.variant, 1), ()),
        down=partial(sam.tokens, blocks_done=0, mixes=False),
        edge=(sam.merge(), sam.restore(()), *chain[1:]),
    )
    return Sharding("prefix", (sam.partition(withheld),), (trip,))


def halves(sam):
    return sam.whole[::2], sam.whole[1::2]


@pytest.mark.parametrize(
    "withheld", [Withheld(1), Withheld(2), Withheld(5), Withheld(1, 1), Withheld(2, 3)]
)
def test_where_clouds_embed_only_the_result_is_that_of_the_whole_picture(
    odd, odd_embedding, run_rounds, withheld
):
    """An embedding is linear, so what was taken off pixels can be added to it exactly."""
    edge = run_rounds(odd, embedding_only(odd.sam, withheld), halves(odd.sam))
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


@pytest.mark.parametrize("mode", ["prefix", "deferred"])
def test_blocks_in_windows_do_without_and_so_the_function_is_another(odd, run_rounds, mode):
    plain, without = (
        odd.embedding(run_rounds(odd, rounds(odd.sam, mode, withheld=each), halves(odd.sam)))
        for each in (NOTHING, Withheld(2))
    )
    apart = np.abs(without - plain).max()
    assert apart > 1e-4
    assert np.corrcoef(without.ravel(), plain.ravel())[0, 1] > 0.5


def test_an_edge_that_begins_its_last_part_again_adds_it_once(odd, run_rounds):
    sharding = rounds(odd.sam, "deferred", withheld=Withheld(2))
    edge = run_rounds(odd, sharding, halves(odd.sam))
    once = odd.embedding(edge)
    edge.run(0, sharding.rounds[0].edge[:2])
    edge.run(0, sharding.rounds[0].edge)
    np.testing.assert_array_equal(odd.embedding(edge), once)


def test_clouds_are_told_of_no_mean(odd):
    variant = odd.sam.variant
    square = np.random.default_rng(0).integers(90, 130, (variant.image_px,) * 2 + (3,), np.uint8)
    brighter = square + np.uint8(70)
    sent = pixels.without(variant, square, Withheld(2))
    np.testing.assert_array_equal(sent, pixels.without(variant, brighter, Withheld(2)))
    side = 2 * variant.patch_px
    for window in windows(variant):
        part = sent[window.top_px :, window.left_px :][:side, :side]
        assert np.abs(part.mean(axis=(0, 1)) - 128).max() <= 0.5


@pytest.mark.parametrize("trend", [1, 2])
def test_clouds_are_told_of_no_trend(odd, trend):
    """Pictures that differ by a polynomial, another in each window, look the same to them."""
    variant = odd.sam.variant
    square = np.random.default_rng(0).integers(20, 40, (variant.image_px,) * 2 + (3,), np.uint8)
    sloping = square.astype(int)
    for number, window in enumerate(windows(variant)):
        down, across = np.mgrid[0 : window.height_px, 0 : window.width_px]
        part = sloping[window.top_px :, window.left_px :][: window.height_px, : window.width_px]
        part += (number % 2 * down + across)[..., None]  # whole: nothing is rounded
    assert 80 < sloping.max() < 256
    withheld, steep = Withheld(2, trend), sloping.astype(np.uint8)
    sent, again = (pixels.without(variant, each, withheld).astype(int) for each in (square, steep))
    assert np.abs(sent - again).max() <= 1, "but for rounding"
    with_slopes = pixels.without(variant, steep, Withheld(2)).astype(int)
    assert np.abs(sent - with_slopes).max() > 5


def test_of_other_windows_nothing_is_told(odd):
    variant = odd.sam.variant
    first, *_, last = windows(variant)
    square = np.full((variant.image_px,) * 2 + (3,), 100, np.uint8)
    other = square.copy()
    other[last.top_px :, last.left_px :] = np.arange(3)
    found, changed = (pixels.without(variant, each, Withheld(5, 2)) for each in (square, other))
    beside = (slice(0, last.top_px), slice(0, first.width_px))
    np.testing.assert_array_equal(found[beside], changed[beside])


def test_what_stands_out_by_more_than_half_the_range_is_cut_off(odd):
    variant = odd.sam.variant
    square = np.zeros((variant.image_px,) * 2 + (3,), np.uint8)
    square[0, 0] = 255
    sent = pixels.without(variant, square, Withheld(1))
    assert sent[0, 0].tolist() == [255] * 3
    side = variant.patch_px
    assert np.unique(sent[:side, :side]).tolist() == [127, 255], "its mean is 1, rounded"
    assert np.unique(sent[side:]).tolist() == [128]


def test_without_what_was_sent_nothing_can_be_restored(odd):
    edge = odd.origin()
    with pytest.raises(StepError, match=r"sam\.restore: needs the tiles that were sent"):
        edge.run(0, (odd.sam.restore(()),))
