"""What is run to measure every stage of a model, without running it."""

import pytest

from real_runner.calibration.scripts import SHARES, key_of, scripts, shards, stages_in, unserved
from workloads.catalogue import model_named
from workloads.errors import WorkloadError
from workloads.sam.geometry import windows
from workloads.sam.modes import MODES, rounds
from workloads.sam.shares import shared_rounds
from workloads.stage import Payload, Stage

SMALL = model_named("sam-small", precision="fp32")
BORDERED = model_named("sam-vit-b", precision="fp32")


def test_every_stage_of_every_mode_is_run_on_shards_of_the_chosen_sizes() -> None:
    run = {key_of(stage) for script in scripts(SMALL) for stage in stages_in(script)}
    for mode in MODES:
        parts = rounds(SMALL, mode)
        wanted = [*parts.before, *(s for part in parts.rounds for s in part.edge)]
        wanted += [part.compute(shard) for part in parts.rounds for shard in shards(SMALL)]
        assert {key_of(stage) for stage in wanted} <= run
    assert {key_of(link.stage) for link in SMALL.chain} <= run
    assert key_of(SMALL.prepare) in run


def test_every_stage_of_shares_is_run_at_the_edge_and_on_a_cloud() -> None:
    run = {key_of(stage) for script in scripts(SMALL) for stage in stages_in(script)}
    for count in SHARES:
        for part in shared_rounds(SMALL, count, SMALL.variant.depth):
            wanted = {key_of(stage) for stage in (part.share, part.compute[0], *part.edge)}
            assert wanted <= run


def test_shards_go_from_single_windows_to_all_and_include_border_windows() -> None:
    sizes = {len(shard) for shard in shards(BORDERED)}
    assert {1, 2, 25} <= sizes
    known = windows(BORDERED.variant)
    singles = {known[shard[0]].tokens for shard in shards(BORDERED) if len(shard) == 1}
    assert singles == {14 * 14, 14 * 8, 8 * 8}


def test_a_chosen_kind_is_run_with_what_it_needs_and_no_more() -> None:
    for script in scripts(SMALL, ["sam.neck"]):
        assert list(stages_in(script))[-1].kind == "sam.neck"
    few, all_of_them = scripts(SMALL, ["sam.windowed"]), scripts(SMALL)
    assert len(few) < len(all_of_them)
    (only,) = scripts(SMALL, ["sam.partition"])
    assert [each.kind for each in only if isinstance(each, Stage)] == [
        "sam.prepare",
        "sam.partition",
    ]
    assert isinstance(only[0], Payload)


def test_a_kind_that_the_model_does_not_have_is_named() -> None:
    with pytest.raises(WorkloadError, match=r"sam-small has no 'sam\.wndowed'; .*sam\.windowed"):
        scripts(SMALL, ["sam.neck", "sam.wndowed"])


def test_no_script_repeats_what_those_before_it_have_run() -> None:
    seen: set[object] = set()
    for script in scripts(SMALL):
        keys = {key_of(stage) for stage in stages_in(script)}
        assert keys - seen
        seen |= keys


def test_what_nothing_computes_for_real_is_left_out_and_cannot_be_asked_for() -> None:
    served = {stage.kind for script in scripts(SMALL) for stage in stages_in(script)} - {
        "sam.local"
    }
    left_out = unserved(SMALL, served)
    assert left_out == ("sam.local",)
    rest = {stage.kind for script in scripts(SMALL, (), left_out) for stage in stages_in(script)}
    assert rest == served
    with pytest.raises(WorkloadError, match=r"'sam\.local' cannot be measured: nothing computes"):
        scripts(SMALL, ["sam.local"], left_out)
