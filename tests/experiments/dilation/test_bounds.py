"""The least dilation follows from figures that can be followed by hand."""

from itertools import pairwise

import pandas as pd
import pytest

from experiments.dilation.bounds import GRID, Bound, bounds, enough
from experiments.dilation.rehearsal import Rehearsal, busiest_bits_per_s
from sim.errors import ScenarioError


def rehearsal(*steps: tuple[str, str, str, float, float], bits_per_s: float = 0.0) -> Rehearsal:
    names = ["kind", "stage", "node", "model_s", "here_s"]
    return Rehearsal(pd.DataFrame(list(steps), columns=names), bits_per_s)


def by_name(found: Rehearsal, *computing: str, carried: float | None = None) -> dict[str, Bound]:
    return {bound.what: bound for bound in bounds(found, computing, carried)}


def test_arithmetic_needs_as_often_as_long_as_the_slowest_stage_takes() -> None:
    found = by_name(
        rehearsal(
            ("compute", "quick", "edge", 0.100, 0.100),
            ("compute", "slow", "cloud", 0.010, 0.041),
            ("compute", "held", "other", 0.010, 0.500),
        ),
        "edge",
        "cloud",
    )
    assert found["arithmetic"].least == pytest.approx(4.0)  # a millisecond is nobody's fault
    assert found["arithmetic"].reason.startswith("slow on cloud took 41.00 ms here")


def test_who_only_holds_devices_is_not_bound_by_arithmetic() -> None:
    assert "arithmetic" not in by_name(rehearsal(("compute", "held", "other", 0.01, 0.5)))


def test_handing_over_is_to_be_a_twentieth_of_a_typical_step() -> None:
    found = by_name(
        rehearsal(
            ("compute", "stage", "edge", 0.010, 0.0105),
            ("transfer", "pixels", "", 0.020, 0.004),
        )
    )
    assert found["handing over, compute"].least == pytest.approx(1.0)
    assert found["handing over, transfer"].least == pytest.approx(4.0)


def test_links_are_asked_for_a_part_of_what_they_can_carry() -> None:
    steps = rehearsal(("transfer", "pixels", "", 0.020, 0.001), bits_per_s=2.1e9)
    assert by_name(steps, carried=1e9)["links"].least == pytest.approx(3.0)
    assert "links" not in by_name(steps)


def test_traffic_is_what_is_under_way_at_one_moment() -> None:
    names = ["kind", "bytes", "queued_s", "end_s", "took_s"]
    rows = [("transfer", 1e6, 0.0, 1.0, 1.0), ("transfer", 1e6, 0.5, 2.5, 2.0)]
    rows += [("transfer", 3e6, 2.5, 4.5, 2.0), ("compute", 0.0, 0.0, 9.0, 9.0)]
    assert busiest_bits_per_s(pd.DataFrame(rows, columns=names)) == pytest.approx(12e6)


def test_the_smallest_of_the_grid_that_is_enough_is_taken() -> None:
    assert all(early < late for early, late in pairwise(GRID))
    assert enough([Bound("x", 0.2, ""), Bound("y", 0.9, "")]) == 1.0
    assert enough([Bound("x", 0.2, ""), Bound("y", 3.1, "")]) == 5.0
    with pytest.raises(ScenarioError, match=r"x needs 7.01e\+03, beyond 7000 \(why\)"):
        enough([Bound("x", 7010.0, "why"), Bound("y", 0.9, "")])
