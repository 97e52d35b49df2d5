"""A tolerance holds inside it and fails outside it."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.fidelity.experiment import Experiment, Fidelity
from experiments.fidelity.verdict import Tolerance, misses
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
