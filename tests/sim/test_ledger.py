"""The books of a run: energy integrated over time against the sum over records, rent, carbon."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from math import fsum

import numpy as np
import pandas as pd
import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.engine.world import World
from sim.faults import Fault, FaultPlan
from sim.ledger import LINK_COLUMNS, NODE_COLUMNS, TOTALS, Ledger
from sim.plan import Compute, Plan, Transfer
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import Record, Sink, Trace
from tests.conftest import MakeScenario, Scripted, device, small_topology
from topologies.carbon import CarbonIntensity
from topologies.topology import Topology
from workloads.stage import Payload, Stage

SECOND = Stage("work", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PIXELS = Payload("pixels", (0,), fixed_bytes=1e6)
THERE_AND_BACK = Plan(
    (
        Compute("edge", (SECOND,)),
        Transfer("edge", "b", PIXELS, after=(0,)),
        Compute("b", (SECOND,), (1,)),
        Transfer("b", "edge", PIXELS, after=(2,)),
    )
)
RACE = Plan(
    (
        Transfer("edge", "a", PIXELS),
        Compute("a", (SECOND,), (0,)),
        Transfer("edge", "b", PIXELS),
        Compute("b", (SECOND,), (2,)),
        Compute("edge", (SECOND,), (1, 3), need=1),
    )
)
HASTY = Plan((Compute("edge", (SECOND,)), Compute("a", (SECOND,)), Compute("a", (), (0, 1), 1)))


class Books:
    """Everything that one run left."""

    def __init__(self, scenario: Scenario, steps: int = 10, simulator: Simulator | None = None):
        self.records: list[Record] = []
        self.tables: list[Tables] = []
        self.ledger = Ledger(scenario.topology)
        self.trace = (simulator or Simulator()).run(scenario, sink=Sink(self._take, steps))
        self.nodes = self.ledger.nodes(self.trace).set_index("node")
        self.links = self.ledger.links(self.trace).set_index("channel")
        self.steps = pd.concat([tables.steps() for tables in self.tables])

    def _take(self, chunk: Trace) -> None:
        self.records.extend(chunk.records)
        self.tables.append(Tables(chunk))
        self.ledger.add(self.tables[-1])


def integral_j(trace: Trace, records: Sequence[Record]) -> float:
    """Integrate over time what all devices draw, from moment to moment at which that changes."""
    devices = {n.name: n.device for n in trace.topology.nodes if n.device is not None}
    changes = [(0.0, sum(device.idle_w for device in devices.values()))]
    for record in records:
        step = record.plan.steps[record.step]
        if isinstance(step, Compute):
            slot_w = (devices[step.node].peak_w - devices[step.node].idle_w) / devices[
                step.node
            ].slots
            changes += [(record.start_s, slot_w), (record.end_s, -slot_w)]
    changes = sorted(changes)
    ends_s = [moment_s for moment_s, _ in changes[1:]] + [trace.end_s]
    power_w = accumulate(change_w for _, change_w in changes)
    spans = zip(changes, ends_s, power_w, strict=True)
    return fsum(drawn_w * (end_s - start_s) for (start_s, _), end_s, drawn_w in spans)


def wide() -> Topology:
    """Return the small world, its first cloud with three slots."""
    small = small_topology()
    nodes = tuple(
        replace(node, device=device("wide", 2e12, slots=3)) if node.name == "a" else node
        for node in small.nodes
    )
    return Topology("wide", nodes, small.links)


CASES = {
    "queues": (small_topology(), (THERE_AND_BACK,), FaultPlan()),
    "slots": (wide(), (RACE,), FaultPlan()),
    "cancelled transfers": (small_topology(), (RACE,), FaultPlan()),
    "cancelled computations": (wide(), (HASTY,), FaultPlan()),
    "several plans": (
        small_topology(),
        (replace(THERE_AND_BACK, completes=False), replace(RACE, completes=False), RACE),
        FaultPlan(),
    ),
    "a crash": (
        small_topology(),
        (THERE_AND_BACK,) * 10,
        FaultPlan((Fault(2.2, "b", "crash"), Fault(2.9, "b", "recover"))),
    ),
}


@pytest.fixture(params=CASES)
def books(request: pytest.FixtureRequest, make_scenario: MakeScenario) -> Books:
    topology, plans, faults = CASES[request.param]
    arrivals_s = (0.0, 0.1, 0.15, 0.9, 4.0)
    return Books(
        make_scenario(Scripted(plans), arrivals_s=arrivals_s, topology=topology, faults=faults)
    )


def test_energy_over_time_is_that_of_the_records_and_idle(books: Books) -> None:
    off_j = sum(
        seconds * books.trace.topology.node(node).device.idle_w
        for node, seconds in books.trace.off_s.items()
    )
    energy_j = integral_j(books.trace, books.records) - off_j
    computed_j = books.steps.loc[books.steps["kind"] == "compute", "energy_j"].sum()
    assert computed_j > 0
    assert books.nodes["energy_idle_j"].sum() + computed_j == pytest.approx(energy_j, rel=1e-9)
    assert books.nodes["energy_busy_j"].sum() == pytest.approx(computed_j, rel=1e-9)


def test_each_node_was_busy_for_as_long_as_its_records_say(books: Books) -> None:
    computed = books.steps[books.steps["kind"] == "compute"]
    busy_s = computed.groupby(computed["node"].astype(str))["busy_s"].sum()
    for node, row in books.nodes.iterrows():
        assert row["busy_s"] == pytest.approx(busy_s.get(node, 0.0), rel=1e-9)
        assert row["busy_s"] + row["idle_s"] == pytest.approx(
            row["slots"] * (books.trace.end_s - row["off_s"]), rel=1e-9
        )


def test_channels_carried_and_drew_what_the_records_say(books: Books) -> None:
    topology = books.trace.topology
    expected = np.zeros(len(topology.channels))
    for step in books.steps[books.steps["kind"] == "transfer"].itertuples():
        expected[list(topology.route(step.source, step.target).channels)] += step.bytes
    assert books.links["bytes"].to_numpy() == pytest.approx(expected, rel=1e-9)
    moved_j = books.steps.loc[books.steps["kind"] == "transfer", "energy_j"].sum()
    assert books.links["energy_j"].sum() == pytest.approx(moved_j, rel=1e-9)


def test_cost_of_nodes_is_that_of_the_records(books: Books) -> None:
    assert books.nodes["cost_usd"].sum() == pytest.approx(books.steps["cost_usd"].sum(), rel=1e-9)


def test_a_wrong_power_would_be_noticed(make_scenario: MakeScenario) -> None:
    books = Books(make_scenario(Scripted((THERE_AND_BACK,))))
    energy_j = integral_j(books.trace, books.records)
    found_j = books.nodes["energy_idle_j"].sum() + books.nodes["energy_busy_j"].sum()
    assert found_j * (1 + 1e-8) != pytest.approx(energy_j, rel=1e-9)


def test_a_crashed_node_draws_nothing_until_it_is_back(make_scenario: MakeScenario) -> None:
    topology, plans, faults = CASES["a crash"]
    books = Books(make_scenario(Scripted(plans), topology=topology, faults=faults))
    assert books.nodes.loc["b", "off_s"] == pytest.approx(0.7)
    assert books.nodes.loc["b", "energy_idle_j"] == pytest.approx(10 * (books.trace.end_s - 0.7))
    lost = books.steps[books.steps["outcome"] == "lost"]
    assert list(lost["busy_s"]) == pytest.approx([2.2 - lost["start_s"].iloc[0]])


def test_work_still_under_way_at_the_end_is_in_the_books(make_scenario: MakeScenario) -> None:
    def tenant(world: World):
        world.devices["a"].submit(world.pricer.job(Compute("a", (Stage("own", 2e13, 0.0),))),
                                  lambda *_: None, None)  # fmt: skip
        yield world.clock.timeout(0.0)

    scenario = make_scenario(Scripted((THERE_AND_BACK,)))
    books = Books(scenario, simulator=Simulator([tenant]))
    assert books.nodes.loc["a", "busy_s"] == pytest.approx(books.trace.end_s, rel=1e-12)
    recorded_j = books.steps.loc[books.steps["kind"] == "compute", "energy_j"].sum()
    own_j = 100.0 * books.trace.end_s
    assert books.nodes["energy_busy_j"].sum() == pytest.approx(recorded_j + own_j, rel=1e-9)


def test_a_reserved_node_costs_its_rent_and_its_requests_nothing(
    make_scenario: MakeScenario,
) -> None:
    small = small_topology()
    nodes = tuple(
        replace(node, billing="reserved", request_price_usd=0.25) if node.name == "b" else node
        for node in small.nodes
    )
    rented = Topology("rented", nodes, small.links)
    books = Books(make_scenario(Scripted((THERE_AND_BACK,)), topology=rented))
    steps = books.steps.set_index("step")
    assert steps.loc[2, "cost_usd"] == 0.25
    egress_usd = 1e6 * 1e-9
    rent_usd = 3.6 / 3600 * books.trace.end_s
    assert books.nodes.loc["b", "cost_usd"] == pytest.approx(rent_usd + 0.25 + egress_usd)
    assert books.nodes.loc["a", "cost_usd"] == 0.0
    assert books.nodes.loc["b", "billing"] == "reserved"


def test_carbon_follows_the_grid_over_time(make_scenario: MakeScenario) -> None:
    # The edge computes from 0 to 1 s, at 100 W above its idle 10 W; b from 2.04 s to 3.04 s.
    small = small_topology()
    grids = {
        "edge": CarbonIntensity((100.0, 500.0), (0.0, 0.5), source="a test"),
        "elsewhere": CarbonIntensity((720.0,), source="a test"),
    }
    topology = Topology("green", small.nodes, small.links, carbon=grids)
    books = Books(make_scenario(Scripted((THERE_AND_BACK,)), topology=topology))
    steps, end_s = books.steps.set_index("step"), books.trace.end_s
    per_kwh = 1 / 3.6e6
    assert steps.loc[0, "carbon_g"] == pytest.approx(100 * 300 * per_kwh)
    assert steps.loc[1, "carbon_g"] == pytest.approx(8.0 * 500 * per_kwh)  # leaves the edge
    assert steps.loc[2, "carbon_g"] == pytest.approx(100 * 720 * per_kwh)
    assert steps.loc[3, "carbon_g"] == pytest.approx(8.0 * 720 * per_kwh)  # the router sends it
    requests = pd.concat([tables.requests() for tables in books.tables])
    assert requests["carbon_g"].sum() == pytest.approx(steps["carbon_g"].sum())
    mean = (0.5 * 100 + (end_s - 0.5) * 500) / end_s
    idle_g = 10 * end_s * mean * per_kwh
    assert books.nodes.loc["edge", "carbon_g"] == pytest.approx(idle_g + steps.loc[0, "carbon_g"])
    totals = books.ledger.totals(books.trace)
    links_g = steps.loc[[1, 3], "carbon_g"].sum()
    assert totals["carbon_g"] == pytest.approx(books.nodes["carbon_g"].sum() + links_g)


def test_without_a_grid_carbon_is_unknown(make_scenario: MakeScenario) -> None:
    books = Books(make_scenario(Scripted((THERE_AND_BACK,))))
    assert books.steps["carbon_g"].isna().all()
    assert books.nodes["carbon_g"].isna().all()
    assert np.isnan(books.ledger.totals(books.trace)["carbon_g"])
    assert pd.concat([t.requests() for t in books.tables])["carbon_g"].isna().all()


def test_columns_and_totals_are_those_promised(make_scenario: MakeScenario) -> None:
    books = Books(make_scenario(Scripted((RACE,)), arrivals_s=(0.0, 0.2)))
    assert tuple(books.ledger.nodes(books.trace).columns) == NODE_COLUMNS
    assert tuple(books.ledger.links(books.trace).columns) == LINK_COLUMNS
    totals = books.ledger.totals(books.trace)
    assert tuple(totals) == TOTALS
    assert totals["requests"] == 2
    assert totals["steps"] == len(books.steps)
    assert list(books.nodes.index) == ["edge", "a", "b"]


@pytest.mark.parametrize("policy", ["offload", "sharded/deferred", "sharded/exact"])
def test_energy_of_a_shipped_scenario_adds_up(policy: str) -> None:
    settings = ["workload.requests=60", "workload.arrivals.rate_per_s=3", "warm_up=0"]
    books = Books(load("jetson-16-clouds", settings, policy), steps=500)
    energy_j = integral_j(books.trace, books.records)
    found_j = books.nodes["energy_idle_j"].sum() + books.nodes["energy_busy_j"].sum()
    assert found_j == pytest.approx(energy_j, rel=1e-9)
    steps_j = books.steps["energy_j"].sum()
    drawn_j = books.nodes["energy_busy_j"].sum() + books.links["energy_j"].sum()
    assert steps_j == pytest.approx(drawn_j, rel=1e-9)
