"""The tables of a trace, against numbers worked out by hand and against the runner's own books."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.policies.registry import POLICIES
from sim.tables import EXPOSURE_COLUMNS, REQUEST_COLUMNS, STEP_COLUMNS, Tables
from sim.trace import Trace
from tests.conftest import MakeScenario, Scripted
from workloads.stage import Payload, Stage

SECOND = Stage("work", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PIXELS = Payload("pixels", (0,), fixed_bytes=1e6)  # a second on the access link, 8 J there
TOKENS = Payload("tokens", (1,), fixed_bytes=5e5)

SHARDED = Plan(
    (
        Compute("edge", (SECOND,)),
        Transfer("edge", "a", PIXELS, after=(0,)),
        Transfer("edge", "b", TOKENS, after=(0,)),
        Compute("a", (SECOND,), (1,)),
        Compute("b", (SECOND,), (2,)),
        Transfer("a", "edge", PIXELS, after=(3,)),
        Transfer("b", "edge", PIXELS, after=(4,)),
        Compute("edge", (SECOND,), (5, 6)),
    )
)

# Both clouds get a part; a's computation is done long before b's part has even arrived.
RACE = Plan(
    (
        Transfer("edge", "a", PIXELS),
        Compute("a", (SECOND,), (0,)),
        Transfer("edge", "b", Payload("tokens", (1,), mixes=True, fixed_bytes=9e6)),
        Compute("b", (SECOND,), (2,)),
        Compute("edge", (SECOND,), (1, 3), need=1),
    )
)


def tables_of(make_scenario: MakeScenario, *plans: Plan, **changes: object) -> Tables:
    return Tables(Simulator().run(make_scenario(Scripted(plans), **changes)), replication=4)


def test_columns_are_those_promised(make_scenario: MakeScenario) -> None:
    tables = tables_of(make_scenario, SHARDED, arrivals_s=(0.0, 0.1))
    assert tuple(tables.steps().columns) == STEP_COLUMNS
    assert tuple(tables.requests().columns) == REQUEST_COLUMNS
    assert tuple(tables.exposure().columns) == EXPOSURE_COLUMNS
    for table in (tables.steps(), tables.requests(), tables.exposure()):
        assert set(table["replication"]) == {4}
        assert set(table["world"]) == {"sim"}


def test_a_request_costs_what_was_worked_out_by_hand(make_scenario: MakeScenario) -> None:
    tables = tables_of(make_scenario, SHARDED)
    row = tables.requests().iloc[0]
    # 100 W above idle for 2 s on the edge, 0.5 s on a, 1 s on b; 3.5 MB on the access link.
    assert row["energy_j"] == pytest.approx(100 * 3.5 + 3.5e6 * 8 * 1e-6)
    # A thousandth of a dollar per second on clouds, and b's egress for 1 MB.
    assert row["cost_usd"] == pytest.approx(1e-3 * 1.5 + 1e6 * 1e-9)
    assert row["bytes_up"] == 1.5e6
    assert row["bytes_down"] == 2e6
    assert (row["pixels_max_node"], row["pixels_max_pair"]) == (0.5, 1.0)
    assert not row["mixes"]
    assert (row["origin"], row["outcome"], row["reason"]) == ("edge", "finished", "")


def test_exposure_has_a_row_per_request_and_cloud_that_received(
    make_scenario: MakeScenario,
) -> None:
    exposure = tables_of(make_scenario, SHARDED, arrivals_s=(0.0, 0.1)).exposure()
    found = exposure[["request", "node", "provider", "received", "pixels", "mixes"]]
    assert sorted(found.itertuples(index=False, name=None)) == [
        (0, "a", "one", "pixels", 0.5, False),
        (0, "b", "two", "tokens", 0.5, False),
        (1, "a", "one", "pixels", 0.5, False),
        (1, "b", "two", "tokens", 0.5, False),
    ]


def test_what_was_cancelled_moved_and_showed_what_had_arrived(make_scenario: MakeScenario) -> None:
    # a's megabyte shares the access link until 2 s, is there at 2.03 s, and worked on until 2.53 s:
    # b's 9 MB got half of the link until 2 s, and all of it after.
    arrived_bytes = 0.5 * 2e6 + 0.53e6
    tables = tables_of(make_scenario, RACE)
    steps = tables.steps().set_index("step")
    assert steps.loc[2, "outcome"] == "cancelled"
    assert steps.loc[2, "bytes"] == pytest.approx(arrived_bytes, rel=1e-9)
    assert steps.loc[2, "energy_j"] == pytest.approx(arrived_bytes * 8 * 1e-6, rel=1e-9)
    assert (steps.loc[2, ["flops", "busy_s"]] == 0).all()
    assert not steps.loc[2, "critical"]
    assert 3 not in steps.index
    row = tables.requests().iloc[0]
    assert row["bytes_up"] == pytest.approx(1e6 + arrived_bytes, rel=1e-9)
    assert (row["pixels_max_node"], row["pixels_max_pair"], row["mixes"]) == (0.5, 1.0, True)
    assert list(tables.exposure()["node"]) == ["a", "b"]


def test_what_was_on_its_way_when_it_was_cancelled_counts_as_seen(
    make_scenario: MakeScenario,
) -> None:
    plan = Plan(
        (
            Compute("a", (Stage("short", 2e10, 0.0),)),  # 10 ms; b is 40 ms away
            Transfer("edge", "b", PIXELS),
            Compute("a", (SECOND,), (0, 1), need=1),
        )
    )
    tables = tables_of(make_scenario, plan)
    steps = tables.steps().set_index("step")
    assert steps.loc[1, "outcome"] == "cancelled"
    assert steps.loc[1, "bytes"] == pytest.approx(1e4)  # 10 ms of the access link
    assert list(tables.exposure()["node"]) == ["b"]


def test_a_cancelled_computation_is_paid_for_until_it_stops(make_scenario: MakeScenario) -> None:
    race = Plan(
        (Compute("a", (SECOND,)), Compute("b", (SECOND,)), Compute("edge", (SECOND,), (0, 1), 1))
    )
    tables = tables_of(make_scenario, race)
    loser = tables.steps().set_index("step").loc[1]
    assert (loser["outcome"], loser["flops"]) == ("cancelled", 0.0)
    assert loser["energy_j"] == pytest.approx(100 * 0.5)
    assert tables.requests().iloc[0]["cost_usd"] == pytest.approx(1e-3 * (0.5 + 0.5))


def test_requests_that_ran_different_plans_are_told_apart(make_scenario: MakeScenario) -> None:
    at_home = Plan((Compute("edge", (SECOND,)),))
    last = Plan((Transfer("edge", "b", TOKENS),))
    first = Plan(at_home.steps, completes=False)
    tables = tables_of(make_scenario, first, last)
    assert list(tables.exposure()["node"]) == ["b"]
    assert list(tables.steps()["attempt"]) == [0, 1]
    assert tables_of(make_scenario, at_home).exposure().empty


def test_a_request_without_steps_still_has_a_row(make_scenario: MakeScenario) -> None:
    tables = tables_of(make_scenario, Plan(()), arrivals_s=(0.0, 1.0))
    requests = tables.requests()
    assert list(requests["latency_s"]) == [0.0, 0.0]
    assert (requests[["bytes_up", "energy_j", "cost_usd", "pixels_max_node"]] == 0).all(axis=None)
    assert tables.steps().empty
    assert tables.exposure().empty
    assert tuple(tables.steps().columns) == STEP_COLUMNS


def test_the_critical_steps_of_all_plans_add_up_to_the_latency(
    make_scenario: MakeScenario,
) -> None:
    rounds = (Plan(RACE.steps, completes=False), Plan(SHARDED.steps, completes=False), SHARDED)
    tables = tables_of(make_scenario, *rounds, arrivals_s=(0.0, 0.2, 0.3))
    assert_latencies_add_up(tables)


def assert_latencies_add_up(tables: Tables) -> None:
    steps, requests = tables.steps(), tables.requests()
    critical = steps[steps["critical"]]
    assert set(critical["outcome"]) == {"finished"}
    spent_s = (critical["end_s"] - critical["queued_s"]).groupby(critical["request"]).sum()
    latency_s = requests.set_index("request")["latency_s"].sort_index()
    assert spent_s.to_numpy() == pytest.approx(latency_s.to_numpy(), abs=1e-9, rel=0)


@pytest.fixture(scope="module", params=POLICIES)
def trace(request: pytest.FixtureRequest) -> Trace:
    settings = ["workload.requests=50", "workload.arrivals.rate_per_s=2"]
    return Simulator().run(load("jetson-16-clouds", settings, request.param))


def test_critical_steps_add_up_to_each_latency(trace: Trace) -> None:
    assert_latencies_add_up(Tables(trace))


def test_energy_and_bytes_of_steps_add_up_to_those_of_requests(trace: Trace) -> None:
    tables = Tables(trace)
    steps, requests = tables.steps(), tables.requests().sort_values("request")
    energy_j = steps.groupby("request")["energy_j"].sum().to_numpy()
    assert energy_j == pytest.approx(requests["energy_j"].to_numpy())
    trusted = {node.name for node in trace.topology.nodes if node.trusted}
    leaving, coming = (steps[end].isin(trusted) for end in ("source", "target"))
    moved = steps["kind"] == "transfer"
    up = steps["bytes"].where(moved & leaving & ~coming, 0.0)
    down = steps["bytes"].where(moved & coming & ~leaving, 0.0)
    for column in ("cost_usd", "busy_s"):
        assert (steps[column] >= 0).all()
    for column, moved_bytes in (("bytes_up", up), ("bytes_down", down)):
        per_request = moved_bytes.groupby(steps["request"]).sum().to_numpy()
        assert per_request == pytest.approx(requests[column].to_numpy())


def test_prices_of_steps_add_up_to_those_of_requests(trace: Trace) -> None:
    tables = Tables(trace)
    steps = tables.steps()
    nodes = {node.name: node for node in trace.topology.nodes}
    cost_usd: defaultdict[int, float] = defaultdict(float)
    for step in steps.itertuples():
        if step.kind == "compute":
            price = nodes[step.node].device.price_usd_per_h or 0.0
            cost_usd[step.request] += price / 3600 * (step.end_s - step.start_s)
        else:
            cost_usd[step.request] += nodes[step.source].egress_usd_per_byte * step.bytes
    found = tables.requests().set_index("request")["cost_usd"].to_dict()
    assert found == pytest.approx(cost_usd, rel=1e-9)


def test_devices_were_busy_for_as_long_as_the_records_say(trace: Trace) -> None:
    steps = Tables(trace).steps()
    computed = steps[steps["kind"] == "compute"]
    busy_s = (computed["end_s"] - computed["start_s"]).groupby(computed["node"].astype(str)).sum()
    for node, seconds in trace.busy_s.items():
        assert busy_s.get(node, 0.0) == pytest.approx(seconds, abs=1e-9)


def test_channels_carried_what_the_records_say(trace: Trace) -> None:
    steps = Tables(trace).steps()
    expected = np.zeros(len(trace.topology.channels))
    for step in steps[steps["kind"] == "transfer"].itertuples():
        channels = trace.topology.route(step.source, step.target).channels
        expected[list(channels)] += step.bytes
    assert np.array(trace.carried_bytes) == pytest.approx(expected, rel=1e-9)


def test_exposure_agrees_with_what_requests_say_of_the_worst(trace: Trace) -> None:
    tables = Tables(trace)
    requests, exposure = tables.requests().set_index("request"), tables.exposure()
    worst = exposure.groupby("request")["pixels"].max().reindex(requests.index, fill_value=0.0)
    pd.testing.assert_series_equal(worst, requests["pixels_max_node"], check_names=False)
    assert (requests["pixels_max_pair"] >= requests["pixels_max_node"]).all()
    mixed = exposure.groupby("request")["mixes"].any().reindex(requests.index, fill_value=False)
    assert (mixed == requests["mixes"]).all()


def test_columns_have_one_type_whatever_they_hold(trace: Trace) -> None:
    requests, exposure = Tables(trace).requests(), Tables(trace).exposure()
    for column in (requests["pixels_max_node"], requests["pixels_max_pair"], exposure["pixels"]):
        assert column.dtype == np.float64
    assert requests["mixes"].dtype == exposure["mixes"].dtype == np.bool_


def test_requests_stand_in_the_order_of_their_ends_each_with_its_steps(trace: Trace) -> None:
    tables = Tables(trace)
    requests, steps = tables.requests(), tables.steps()
    assert requests["end_s"].is_monotonic_increasing
    assert list(dict.fromkeys(steps["request"])) == list(requests["request"])
    assert (steps["request"].diff() != 0).sum() == len(requests)
    assert all(rows["end_s"].is_monotonic_increasing for _, rows in steps.groupby("request"))
    shown = tables.exposure()["request"]
    assert list(dict.fromkeys(shown)) == [
        index for index in requests["request"] if index in {*shown}
    ]
