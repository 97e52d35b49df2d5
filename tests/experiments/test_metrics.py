"""Metrics against numbers worked out by hand."""

from math import isnan, nan

import numpy as np
import pandas as pd
import pytest

from experiments.metrics import (
    LATENCY_METRICS,
    counting_latencies,
    replication_metrics,
    single_metrics,
    summarise,
    utilisation,
)
from experiments.statistics.batches import batch_mean, batch_quantile
from experiments.statistics.estimates import estimate, unbounded
from sim.columns import columns_of
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.trace import Trace
from tests.conftest import MakeScenario, Scripted, device
from topologies.topology import Node, Topology
from workloads.stage import Payload, Stage


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
            "tokens": [0, 0, 0, 0, 0],
            "first_token_s": [nan] * 5,
            "token_gap_s": [nan] * 5,
        }
    )


def test_written_answers_have_metrics_of_their_own_and_nothing_else_has() -> None:
    plain = replication_metrics(columns_of(requests_table()), warm_up=1, deadline_s=0.2)
    table = requests_table().assign(
        tokens=[9, 2, 0, 4, 3],
        first_token_s=[9.0, 0.05, nan, 0.1, 0.1],
        token_gap_s=[9.0, 0.05, nan, 0.03, 9.0],
    )
    found = replication_metrics(columns_of(table), warm_up=1, deadline_s=0.2)
    assert {key: found[key] for key in plain} == plain
    assert {key: found[key] for key in found.keys() - plain.keys()} == pytest.approx(
        {"first_token_s": 0.075, "token_gap_s": 0.04, "tokens_per_s": (2 / 0.1 + 4 / 0.2) / 2}
    )


def test_a_replication_without_any_token_does_not_count_for_token_metrics() -> None:
    found = summarise([{"mean_s": 1.0}, {"mean_s": 3.0, "tokens_per_s": 5.0}])
    assert found["mean_s"].mean == pytest.approx(2.0)
    assert found["tokens_per_s"].mean == pytest.approx(5.0)


def test_metrics_of_a_replication_are_as_worked_out_by_hand() -> None:
    found = replication_metrics(columns_of(requests_table()), warm_up=1, deadline_s=0.2)
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
    found = replication_metrics(columns_of(requests_table()), warm_up=0, deadline_s=0.2)
    assert found["pixels_max_node"] == 1.0
    assert found["mixes"] == 1.0
    assert found["deadline_met"] == 2 / 5


def test_where_nothing_finished_there_is_no_latency_and_no_deadline_is_met() -> None:
    table = requests_table().assign(outcome="failed")
    found = replication_metrics(columns_of(table), warm_up=1, deadline_s=100.0)
    assert found["deadline_met"] == 0.0
    assert found["throughput_per_s"] == 0.0
    assert all(isnan(found[key]) for key in ("p50_s", "p95_s", "p99_s", "mean_s"))


def test_a_single_replication_has_intervals_by_batch_means() -> None:
    rng = np.random.default_rng(8)
    latency_s = rng.exponential(1.0, 400)
    table = pd.concat([requests_table().iloc[[1]]] * 400, ignore_index=True).assign(
        request=range(400), latency_s=latency_s, bytes_up=latency_s * 10
    )
    table.loc[::50, "outcome"] = "failed"
    figures = replication_metrics(columns_of(table), warm_up=10, deadline_s=1.0)
    found = single_metrics(columns_of(table), 10, 1.0, figures)
    counts = counting_latencies(columns_of(table))[10:]
    finished_s = counts[np.isfinite(counts)]
    assert len(finished_s) == 390 - 7
    assert found["mean_s"] == batch_mean(finished_s)
    assert found["p95_s"] == batch_quantile(finished_s, 0.95)
    assert found["deadline_met"] == batch_mean(counts <= 1.0)
    assert found["bytes_up"] == batch_mean(table["bytes_up"].to_numpy()[10:])
    assert found["pixels_max_node"] == unbounded(0.2)
    assert {name: each.mean for name, each in found.items()} == pytest.approx(figures)
    assert set(LATENCY_METRICS) <= set(found)


def test_a_single_replication_of_failures_has_no_latency() -> None:
    table = columns_of(requests_table().assign(outcome="failed"))
    found = single_metrics(table, 0, 1.0, replication_metrics(table, 0, 1.0))
    assert isnan(found["p99_s"].mean)
    assert found["deadline_met"] == unbounded(0.0)


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
