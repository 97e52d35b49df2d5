import pytest

from workloads.errors import WorkloadError
from workloads.sam.runs import runs, segments
from workloads.sam.variants import VARIANTS, Variant


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 0, "variant x: dim: 0; give a whole number of at least 1"),
        ("dim", 100, "variant x: dim: 100; give a multiple of heads = 3"),
        ("image_px", 1000, "variant x: image_px: 1000; give a multiple of patch_px = 16"),
        ("global_blocks", (9,), r"global_blocks: \(9,\); give ascending block indices from 0 to 1"),
        ("global_blocks", (1, 0), "global_blocks"),
    ],
)
def test_contradictory_numbers_are_refused(field, value, message):
    right = {"name": "x", "dim": 96, "depth": 2, "heads": 3, "global_blocks": (1,)}
    Variant(**right)
    with pytest.raises(WorkloadError, match=message):
        Variant(**(right | {field: value}))


@pytest.mark.parametrize("name", VARIANTS)
def test_runs_and_segments_each_make_up_the_encoder(name):
    variant = VARIANTS[name]
    by_run = [block for run in runs(variant) for block in (*run.windowed, *run.following)]
    by_segment = [block for segment in segments(variant) for block in segment.completes]
    assert by_run == by_segment == list(range(variant.depth))
    counts = (1, 5) if name == "small-window-first" else (4, 5)
    assert (len(runs(variant)), len(segments(variant))) == counts


@pytest.mark.parametrize(
    ("global_blocks", "expected"),
    [
        ((), [((0, 1, 2, 3), (), 0)]),
        ((0,), [((), (0,), 0), ((1, 2, 3), (), 1)]),
        ((1, 2), [((0,), (1, 2), 0), ((3,), (), 3)]),
        ((0, 1, 2, 3), [((), (0, 1, 2, 3), 0)]),
    ],
)
def test_global_blocks_may_stand_anywhere(global_blocks, expected):
    variant = Variant("odd", 96, 4, 3, global_blocks)
    assert [(run.windowed, run.following, run.first) for run in runs(variant)] == expected
