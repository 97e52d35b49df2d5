"""Plans over links that are not plain: what policies see of them, and what steps take."""

from dataclasses import replace

import pytest

from sim.engine.simulator import Simulator
from sim.plan import Plan, Transfer
from sim.trace import Trace
from tests.conftest import MakeScenario, Scripted, small_topology
from topologies.schedules import Schedule
from topologies.topology import Topology
from workloads.stage import Payload

# From the edge to a: 8 Mbit/s at the bottleneck, 30 ms each way.
SMALL = Payload("tokens", (0,), fixed_bytes=1448.0)
KILOBYTES_S = 1448 * 8 / 8e6 * 1514 / 1448


def small(**options: object) -> Topology:
    """The small topology, its access link changed."""
    topology = small_topology()
    access, *others = topology.links
    return replace(topology, links=(replace(access, **options), *others))


def run(make_scenario: MakeScenario, policy: Scripted, count: int = 1, **options: object) -> Trace:
    arrivals_s = [0.5 * index for index in range(count)]
    return Simulator().run(make_scenario(policy, arrivals_s, topology=small(**options)))


def test_only_the_first_plan_pays_for_the_handshake(make_scenario: MakeScenario) -> None:
    there_and_back = (Transfer("edge", "a", SMALL), Transfer("a", "edge", SMALL, after=(0,)))
    trace = run(make_scenario, Scripted((Plan(there_and_back),)), 2, transport="tcp")
    warm_s = 0.06 + 2 * KILOBYTES_S
    latencies = [outcome.latency_s for outcome in trace.outcomes]
    assert latencies == pytest.approx([warm_s + 2 * 0.06, warm_s])  # TCP's and TLS's round trip


def test_a_fresh_transfer_pays_for_it_again(make_scenario: MakeScenario) -> None:
    plan = Plan((Transfer("edge", "a", SMALL, fresh=True),))
    trace = run(make_scenario, Scripted((plan,)), 2, transport="tcp")
    cold_s = 0.03 + KILOBYTES_S + 2 * 0.06
    latencies = [outcome.latency_s for outcome in trace.outcomes]
    assert latencies == pytest.approx([cold_s, cold_s])


def test_without_tcp_fresh_means_nothing(make_scenario: MakeScenario) -> None:
    plans = [Plan((Transfer("edge", "a", SMALL, fresh=fresh),)) for fresh in (False, True)]
    latencies = [run(make_scenario, Scripted((plan,))).outcomes[0].latency_s for plan in plans]
    assert latencies[0] == latencies[1] == pytest.approx(0.03 + 1448 * 8 / 8e6)


def test_policies_see_what_links_carry_now(make_scenario: MakeScenario) -> None:
    policy = Scripted((Plan((Transfer("edge", "a", SMALL),)),))
    run(make_scenario, policy, 3, schedule=Schedule((0.0, 0.75), (8e6, 2e6)), loss=0.5)
    seen = [view.estimates for _, _, view in policy.seen]
    assert [found.channel_bits_per_s[0] for found in seen] == [4e6, 4e6, 1e6]
    assert seen[0] is seen[1]  # so that a policy may remember what it planned


def test_the_same_scenario_gives_the_same_trace(make_scenario: MakeScenario) -> None:
    options = {
        "transport": "tcp", "duplex": "half", "loss": 0.01,
        "schedule": Schedule((0.0, 0.2), (8e6, 2e6), (0.01, 0.05), 0.7),
    }  # fmt: skip
    plan = Plan((Transfer("edge", "a", Payload("pixels", fixed_bytes=1e5)),
                 Transfer("b", "edge", Payload("tokens", fixed_bytes=2e5))))  # fmt: skip
    traces = [run(make_scenario, Scripted((plan,)), 5, **options) for _ in range(2)]
    assert list(traces[0].outcomes) == list(traces[1].outcomes)
    assert traces[0].carried_bytes == traces[1].carried_bytes
    assert sum(traces[0].carried_bytes) == pytest.approx(2 * 5 * 3e5)
