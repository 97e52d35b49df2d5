"""Metrics against numbers worked out by hand and against scipy."""

from math import inf, isnan, nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.metrics import (
    Estimate,
    estimate,
    quantile_of,
    replication_metrics,
    summarise,
    utilisation,
)
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.trace import Trace
from tests.conftest import MakeScenario, Scripted, device
from topologies.topology import Node, Topology
from workloads.stage import Payload, Stage


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_the_interval_is_students(count: int, confidence: float) -> None:
    values = np.random.default_rng(count).normal(3.0, 2.0, count)
    low, high = stats.t.interval(confidence, count - 1, values.mean(), stats.sem(values))
    found = estimate(list(values), confidence)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.half_width == pytest.approx((high - low) / 2)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    samples = np.random.default_rng(20261121).normal(5.0, 1.0, (4000, 6))
    intervals = [estimate(list(sample), 0.9) for sample in samples]
    covered = np.mean([found.low <= 5.0 <= found.high for found in intervals])
    assert covered == pytest.approx(0.9, abs=0.015)


def test_equal_values_have_no_spread() -> None:
    assert estimate([2.0, 2.0, 2.0]) == Estimate(2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[4.0], [1.0, inf], [inf, inf]])
def test_there_is_no_interval_for_one_value_or_an_infinite_mean(values: list[float]) -> None:
    found = estimate(values)
    assert found.mean == np.mean(values)
    assert isnan(found.low)
    assert isnan(found.high)


@pytest.mark.parametrize(
    ("quantile", "value"), [(0.5, 3.0), (0.75, 4.0), (0.76, 5.0), (0.99, 5.0), (0.01, 2.0)]
)
def test_a_quantile_is_one_of_the_values_and_the_higher_of_two(
    quantile: float, value: float
) -> None:
    assert quantile_of([5.0, 1.0, 3.0, 2.0, 4.0], quantile) == value


def test_a_quantile_may_be_infinite_and_that_of_nothing_is_none() -> None:
    assert quantile_of([1.0, 2.0, inf], 0.99) == inf
    assert quantile_of([1.0, 2.0, inf], 0.5) == 2.0
    assert isnan(quantile_of([], 0.5))


def requests_table() -> pd.DataFrame:
    """Five requests: one of the warm-up, three finished, one failed."""
    return pd.DataFrame(
        {
            "request": [0, 1, 2, 3, 4],
            "arrival_s": [0.0, 1.0, 2.0, 3.0, 4.0],
            "end_s": [9.0, 1.1, 2.3, 3.2, 6.0],
            "latency_s": [9.0, 0.1, 0.3, 0.2, 2.0],
            "outcome": ["finished", "finished", "finished", "finished", "failed"],
            "bytes_up": [900.0, 10.0, 20.0, 30.0, 40.0],
            "bytes_down": [900.0, 1.0, 2.0, 3.0, 4.0],
            "energy_j": [900.0, 1.0, 1.0, 1.0, 5.0],
            "cost_usd": [900.0, 0.1, 0.1, 0.1, 0.5],
            "pixels_max_node": [1.0, 0.2, 0.4, 0.1, 0.3],
            "pixels_max_pair": [1.0, 0.4, 0.5, 0.2, 0.6],
            "mixes": [True, False, False, False, False],
        }
    )


def test_metrics_of_a_replication_are_as_worked_out_by_hand() -> None:
    found = replication_metrics(requests_table(), warm_up=1, deadline_s=0.2)
    assert found == pytest.approx(
        {
            "p50_s": 0.2,
            "p95_s": 0.3,
            "p99_s": 0.3,
            "mean_s": 0.2,
            "deadline_met": 2 / 4,
            "throughput_per_s": 3 / 5,
            "bytes_up": 25.0,
            "bytes_down": 2.5,
            "energy_j": 2.0,
            "cost_usd": 0.2,
            "pixels_max_node": 0.4,
            "pixels_max_pair": 0.6,
            "mixes": 0.0,
        }
    )


def test_the_warm_up_counts_where_it_is_none() -> None:
    found = replication_metrics(requests_table(), warm_up=0, deadline_s=0.2)
    assert found["pixels_max_node"] == 1.0
    assert found["mixes"] == 1.0
    assert found["deadline_met"] == 2 / 5


def test_where_nothing_finished_there_is_no_latency_and_no_deadline_is_met() -> None:
    table = requests_table().assign(outcome="failed")
    found = replication_metrics(table, warm_up=1, deadline_s=100.0)
    assert found["deadline_met"] == 0.0
    assert found["throughput_per_s"] == 0.0
    assert all(isnan(found[key]) for key in ("p50_s", "p95_s", "p99_s", "mean_s"))


def test_a_summary_leaves_out_replications_without_the_metric() -> None:
    found = summarise([{"x": 1.0, "y": nan}, {"x": 3.0, "y": nan}, {"x": nan, "y": nan}])
    assert found["x"] == estimate([1.0, 3.0])
    assert isnan(found["y"].mean)


def test_utilisation_is_the_busy_part_of_the_run(make_scenario: MakeScenario) -> None:
    # 1 MB takes 1 s on the access link and arrives 30 ms later; then a is busy for 0.5 s.
    plan = Plan(
        (
            Transfer("edge", "a", Payload("pixels", (0,), fixed_bytes=1e6)),
            Compute("a", (Stage("s", 1e12, 0.0),), (0,)),
        )
    )
    trace = Simulator().run(make_scenario(Scripted((plan,))))
    found = utilisation(trace)
    assert trace.end_s == pytest.approx(1.53)
    assert found["a"] == pytest.approx(0.5 / 1.53)
    assert found["edge->router"] == pytest.approx(1.0 / 1.53)
    assert found["router->a"] == pytest.approx(0.1 / 1.53)
    assert found["edge"] == found["b"] == found["a->router"] == 0.0


def test_a_device_with_two_slots_is_half_used_when_one_is_busy(make_scenario: MakeScenario) -> None:
    wide = Topology("wide", (Node("edge", "edge", device("two", 1e12, slots=2)),), ())
    plan = Plan((Compute("edge", (Stage("s", 1e12, 0.0),)),))
    trace = Simulator().run(make_scenario(Scripted((plan,)), topology=wide))
    assert utilisation(trace) == {"edge": pytest.approx(0.5)}


def test_a_run_of_no_time_has_no_utilisation(topology: Topology) -> None:
    assert utilisation(Trace("sim", topology)) == {}
