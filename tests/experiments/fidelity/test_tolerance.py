"""A tolerance holds inside it and fails outside it."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.fidelity.experiment import Experiment, Fidelity
from experiments.fidelity.verdict import Tolerance, misses, order
from experiments.statistics.estimates import Estimate
from real_runner.deployment import Deployment
from tests.experiments.fidelity.conftest import Elsewhere, MakeScenarios


@pytest.fixture
def exact(scenarios: MakeScenarios, tmp_path: Path) -> Fidelity:
    """Return an experiment that came out with next to no error."""
    train = scenarios("sharded/exact", "sharded/exact:clouds=1", "offload", "sharded/image")
    test = scenarios("sharded/exact:codec=fp16")
    return Experiment(train, test, Deployment(), Elsewhere()).conduct(tmp_path)


def test_what_is_as_good_as_exact_misses_nothing(exact: Fidelity) -> None:
    assert misses(exact, Tolerance(5e-3, 5e-3)) == []


@pytest.mark.parametrize("figure", ["duration", "moment"])
def test_a_kind_of_step_is_named_just_outside_and_not_just_inside(
    exact: Fidelity, figure: str
) -> None:
    def off_by(error: float) -> Fidelity:
        first, *others = exact.together.errors.kinds
        kinds = (replace(first, **{figure: error}), *others)
        errors = replace(exact.together.errors, kinds=kinds)
        return replace(exact, together=replace(exact.together, errors=errors))

    assert misses(off_by(0.099), Tolerance()) == []
    (line,) = misses(off_by(0.101), Tolerance())
    assert line == f"compute: {figure} off by 10.1%, 10% allowed"
    assert misses(off_by(float("nan")), Tolerance())


@pytest.mark.parametrize("sign", [1, -1])
def test_the_median_latency_of_each_policy_counts(exact: Fidelity, sign: int) -> None:
    def off_by(error: float) -> Fidelity:
        (only,) = exact.tested
        first, *others = only.errors.latencies
        latencies = (replace(first, error=Estimate(error, error, error)), *others)
        return replace(
            exact, tested=(replace(only, errors=replace(only.errors, latencies=latencies)),)
        )

    assert misses(off_by(sign * 0.049), Tolerance()) == []
    (line,) = misses(off_by(sign * 0.051), Tolerance())
    assert "sharded/exact:codec=fp16: p50 off by" in line


def test_plans_that_differ_and_requests_that_failed_are_misses(exact: Fidelity) -> None:
    (only,) = exact.tested
    apart = replace(only, errors=replace(only.errors, matched=0.98))
    assert "only 98.0% of the steps" in misses(replace(exact, tested=(apart,)), Tolerance())[0]
    none = replace(only, errors=replace(only.errors, latencies=()))
    assert "no request finished" in misses(replace(exact, tested=(none,)), Tolerance())[0]


def test_the_99th_percentile_counts_where_a_tolerance_is_given(exact: Fidelity) -> None:
    (only,) = exact.tested
    tail = replace(only.errors.latency("p99"), error=Estimate(0.2, 0.2, 0.2))
    others = [each for each in only.errors.latencies if each.quantile != "p99"]
    errors = replace(only.errors, latencies=(*others, tail))
    found = replace(exact, tested=(replace(only, errors=errors),))
    assert misses(found, Tolerance()) == []
    assert misses(found, Tolerance(p99=0.21)) == []
    (line,) = misses(found, Tolerance(p99=0.19))
    assert "p99 off by +20.0%, 19% allowed" in line


def ranked(exact: Fidelity, *medians_s: tuple[str, float, float, float]) -> Fidelity:
    """Return policies with these medians: simulated, for real, and for real once more."""
    (only,) = exact.tested
    tested = []
    for name, predicted_s, measured_s, again_s in medians_s:
        error = Estimate(predicted_s / measured_s - 1, 0.0, 0.0)
        spread = Estimate(again_s / measured_s - 1, 0.0, 0.0)
        first = replace(only.errors.latency("p50"), predicted_s=predicted_s, measured_s=measured_s)
        of = [
            replace(each, latencies=(replace(first, error=off),))
            for each, off in ((only.errors, error), (only.spread, spread))
        ]
        tested.append(replace(only, policy=name, errors=of[0], spread=of[1]))
    return replace(exact, tested=tuple(tested))


def test_policies_are_put_in_order_in_each_world(exact: Fidelity) -> None:
    found = ranked(exact, ("x", 1.0, 3.0, 3.0), ("y", 2.0, 2.0, 2.0), ("z", 3.0, 1.0, 1.0))
    assert order(found, real=False) == ("x", "y", "z")
    assert order(found, real=True) == ("z", "y", "x")


def test_an_order_that_differs_is_a_miss_unless_it_is_chance(exact: Fidelity) -> None:
    allowed = Tolerance(p50=0.2)
    apart = ranked(exact, ("x", 1.00, 1.10, 1.10), ("y", 1.05, 1.02, 1.02))
    assert misses(apart, allowed) == [
        "y is faster than x for real, by 80.0 ms, and slower by the simulation"
    ]
    unsure = ranked(exact, ("x", 1.00, 1.10, 1.20), ("y", 1.05, 1.02, 1.02))
    assert misses(unsure, allowed) == []
