"""Errors between worlds whose differences are known."""

import pandas as pd
import pytest

from experiments.fidelity.errors import Results, errors
from sim.engine.simulator import Simulator
from sim.tables import Tables
from tests.experiments.fidelity.conftest import Elsewhere, Law, MakeScenarios

TIMES = ("queued_s", "start_s", "end_s")


@pytest.fixture
def results(scenarios: MakeScenarios) -> Results:
    (chosen,) = scenarios("sharded/exact:clouds=3", settings=("workload.arrivals.rate_per_s=1",))
    return Results.of("x", [Tables(Simulator().run(chosen))])


def test_a_world_is_no_way_from_itself(results: Results) -> None:
    found = errors(results, results)
    assert found.worst_step == 0.0
    assert found.matched == 1.0
    assert [each.kind for each in found.kinds] == ["compute", "transfer"]
    assert {each.error.mean for each in found.latencies} == {0.0}
    assert sum(each.steps for each in found.stages) == len(results.steps)


def stretched(results: Results, kind: str, factor: float) -> Results:
    """Return results whose steps of one kind began as they did and took longer."""
    steps = results.steps.copy()
    chosen = steps["kind"] == kind
    steps.loc[chosen, "end_s"] = steps["queued_s"] + factor * (steps["end_s"] - steps["queued_s"])
    return Results(steps, results.requests)


def test_the_kind_of_step_that_is_off_is_the_one_that_shows(results: Results) -> None:
    found = errors(stretched(results, "transfer", 1.2), results)
    compute, transfer = found.kinds
    assert compute.duration == 0.0
    assert (transfer.duration, transfer.bias) == (pytest.approx(0.2), pytest.approx(0.2))
    less = errors(stretched(results, "transfer", 0.9), results).kinds[1]
    assert (less.duration, less.bias) == (pytest.approx(0.1), pytest.approx(-0.1))


def backwards(results: Results) -> Results:
    """Return what a runner leaves that executes every plan from its end to its beginning.

    Each step takes as long as it did, and each request ends when it did.
    """
    of = ["replication", "request"]
    asked = results.steps[of].merge(results.requests, on=of, how="left")
    mirror = (asked["arrival_s"] + asked["end_s"]).to_numpy()
    steps = results.steps.assign(
        queued_s=mirror - results.steps["end_s"],
        start_s=mirror - results.steps["end_s"],
        end_s=mirror - results.steps["queued_s"],
    )
    return Results(steps, results.requests)


def test_a_runner_that_works_backwards_has_the_makespan_and_every_moment_wrong(
    results: Results,
) -> None:
    found = errors(backwards(results), results)
    assert {each.error.mean for each in found.latencies} == {0.0}
    assert all(each.duration == pytest.approx(0.0, abs=1e-9) for each in found.kinds)
    assert all(each.moment > 0.2 for each in found.kinds)
    assert found.worst_step > 0.2


def test_steps_that_were_planned_otherwise_are_told(results: Results) -> None:
    steps = results.steps.copy()
    moved = steps["step"] == 1
    steps["target"] = steps["target"].astype(str).mask(moved, "elsewhere")
    found = errors(Results(steps, results.requests), results)
    assert found.matched == pytest.approx(1 - moved.mean())
    fewer = errors(Results(results.steps[~moved], results.requests), results)
    assert fewer.matched == pytest.approx(1 - moved.mean())


def test_errors_from_end_to_end_come_with_an_interval(scenarios: MakeScenarios) -> None:
    (chosen,) = scenarios("local", settings=("workload.requests=60",))
    calm, noisy = (Elsewhere(Law(), cv=cv).run(chosen) for cv in (0.0, 0.3))
    ours, theirs = (Results.of("x", [Tables(trace)], warm_up=2) for trace in (calm, noisy))
    found = errors(ours, theirs).latency("p50")
    assert found.error.low < found.error.mean < found.error.high
    assert found.error.mean == pytest.approx(found.predicted_s / found.measured_s - 1)
    assert found.error.low < 0.05
    assert found.error.high > -0.05
    again = errors(ours, theirs).latency("p50")
    assert again == found
    doubled = theirs.requests.assign(latency_s=2 * theirs.requests["latency_s"])
    off = errors(ours, Results(theirs.steps, doubled)).latency("p50")
    assert off.error.high < -0.3


def test_requests_before_the_warm_up_are_left_out(scenarios: MakeScenarios) -> None:
    (chosen,) = scenarios("local")
    tables = Tables(Simulator().run(chosen))
    kept = Results.of("x", [tables], warm_up=6)
    assert kept.requests["request"].min() == kept.steps["request"].min() == 6
    both = Results.joined([kept, Results.of("y", [tables])])
    assert len(both.requests) == 10 + 16


def test_requests_that_came_to_nothing_count_for_no_latency(results: Results) -> None:
    failed = results.requests.assign(outcome="failed")
    assert errors(results, Results(results.steps, failed)).latencies == ()
    half = results.requests.copy()
    half.loc[half.index[::2], ["outcome", "latency_s"]] = ["failed", 1e9]
    (p50, *_) = errors(results, Results(results.steps, half)).latencies
    assert p50.error.mean == pytest.approx(0.0, abs=1e-9)


def test_a_duration_below_the_clocks_resolution_is_no_division_by_zero(results: Results) -> None:
    instant = results.steps.assign(end_s=results.steps["queued_s"])
    found = errors(results, Results(instant, results.requests))
    assert all(pd.notna(each.duration) for each in found.kinds)
