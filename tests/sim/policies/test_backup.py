"""Help for late shards: who is asked, when, what it costs, and that it helps."""

from dataclasses import replace

import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.exposure import sights, worst_coalition
from sim.plan import Compute, Plan, Transfer, Wait
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED
from sim.runner import Scenario
from sim.trace import CANCELLED, FINISHED
from tests.conftest import At
from tests.sim.policies.test_sharded import TOPOLOGY, plan_for, view_of
from topologies.builders import star
from topologies.serving import NoiseModel
from topologies.topology import Topology
from workloads.catalogue import model_named
from workloads.stage import Request
from workloads.workload import Workload

DEFERRED = Sharded("deferred", "round-robin", "int8", clouds=8)
STRAGGLERS = NoiseModel(factors=(1.0,) * 19 + (30.0,))
"""One job in twenty takes thirty times as long."""


def uploads(plan: Plan) -> list[Transfer]:
    return [s for s in plan.steps if isinstance(s, Transfer) and s.payload.tensor == "pixels"]


def with_stragglers(topology: Topology) -> Topology:
    nodes = tuple(
        node if node.trusted or node.device is None
        else replace(node, serving=replace(node.serving, noise=STRAGGLERS))
        for node in topology.nodes
    )  # fmt: skip
    return replace(topology, nodes=nodes)


def run(policy: Sharded, topology: Topology = TOPOLOGY, requests: int = 60):
    arrivals = At(tuple(float(n) for n in range(requests)))
    workload = Workload(model_named("sam-vit-b"), arrivals, requests)
    return Simulator().run(
        Scenario("backup", topology, workload, policy, "backup", ("jetson",), 1.0)
    )


def p95_s(policy: Sharded, topology: Topology) -> float:
    return sorted(outcome.latency_s for outcome in run(policy, topology).outcomes)[-4]


def test_each_copy_goes_to_a_cloud_of_its_own() -> None:
    plan = plan_for(replace(DEFERRED, copies=3))
    targets: dict[frozenset[int], list[str]] = {}
    for sent in uploads(plan):
        targets.setdefault(frozenset(sent.payload.shard), []).append(sent.target)
    assert len(targets) == 8
    assert all(len(each) == 3 == len(set(each)) for each in targets.values())
    assert all(not step.after or not isinstance(plan.steps[step.after[0]], Wait)
               for step in uploads(plan))  # fmt: skip


def test_of_clouds_that_are_alike_those_help_that_have_nothing_themselves() -> None:
    alike = star(edge="jetson-agx-orin-64gb", clouds=["t4"] * 4, rate_bits_per_s=1e9, delay_s=0.01)
    policy = Sharded("deferred", "round-robin", clouds=2, copies=2)
    origin = next(node.name for node in alike.nodes if node.trusted and node.device)
    request = Request(0, 0.0, origin, model_named("sam-vit-b"))
    plan = policy.plan(request, UNTOUCHED, view_of(alike))
    assert len({sent.target for sent in uploads(plan)}) == 4


def test_help_that_nobody_needs_is_never_sent_for() -> None:
    """Alone in the world nobody is late, so a hedge changes nothing but what is waited for."""
    plain, hedged = run(DEFERRED, requests=3), run(replace(DEFERRED, hedge=2.0), requests=3)
    assert [o.latency_s for o in hedged.outcomes] == [o.latency_s for o in plain.outcomes]
    waits = [r for r in hedged.records if isinstance(r.plan.steps[r.step], Wait)]
    timers = [r for r in waits if r.plan.steps[r.step].delay_s]
    assert {r.outcome for r in timers} == {CANCELLED}
    assert hedged.carried_bytes == plain.carried_bytes


@pytest.mark.parametrize("policy", [
    replace(DEFERRED, copies=2), replace(DEFERRED, hedge=1.0), replace(DEFERRED, enough=6),
    replace(DEFERRED, hedge=1.0, backup="edge"), replace(DEFERRED, enough=6, backup="edge"),
])  # fmt: skip
def test_with_stragglers_help_shortens_the_tail(policy: Sharded) -> None:
    rough = with_stragglers(TOPOLOGY)
    assert p95_s(policy, rough) < 0.8 * p95_s(DEFERRED, rough)


def test_what_was_done_twice_is_in_the_trace_and_the_loser_is_stopped() -> None:
    trace = run(replace(DEFERRED, hedge=1.0), with_stragglers(TOPOLOGY))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert any(r.outcome == CANCELLED for r in trace.records
               if isinstance(r.plan.steps[r.step], Compute))  # fmt: skip


def test_clouds_that_help_see_more_and_an_edge_that_does_shows_nothing() -> None:
    fractions = model_named("sam-vit-b").shard_fractions

    def most(policy: Sharded) -> float:
        seen = sights(plan_for(policy).steps, TOPOLOGY).values()
        return worst_coalition(seen, fractions, 1)

    alone = most(DEFERRED)
    assert most(replace(DEFERRED, hedge=1.0, backup="edge")) == alone
    assert most(replace(DEFERRED, clouds=0, copies=2)) > 1.5 * most(replace(DEFERRED, clouds=0))


def test_help_is_begun_once_so_many_answers_are_there() -> None:
    plan = plan_for(replace(DEFERRED, enough=5, backup="edge"))
    (moment,) = (s for s in plan.steps if isinstance(s, Wait) and len(s.after) == 8)
    assert moment.need == 5
    at = plan.steps.index(moment)
    helped = [s for s in plan.steps if isinstance(s, Compute) and s.after == (at,)]
    assert len(helped) == 8
    assert {step.node for step in helped} == {"jetson"}
    merge = next(s for s in plan.steps if isinstance(s, Compute) and len(s.after) == 8)
    for join in merge.after:
        assert (plan.steps[join].need, len(plan.steps[join].after)) == (1, 2)


def test_every_answer_is_awaited_where_there_are_no_more_than_enough() -> None:
    plan = plan_for(replace(DEFERRED, enough=8))
    assert not any(isinstance(step, Wait) for step in plan.steps)


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"copies": 0}, "copies: 0"),
    ({"hedge": -1.0}, "hedge: -1.0"),
    ({"hedge": float("nan")}, "hedge: nan"),
    ({"enough": -1}, "enough: -1"),
    ({"backup": "edge"}, "nobody is asked for help"),
    ({"mode": "landmark", "hedge": 1.0}, "keeps what no other has"),
    ({"assignment": "least-makespan", "cap": 0.3, "hedge": 1.0}, "more than it may see"),
])  # fmt: skip
def test_help_that_is_none_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        Sharded(**({"mode": "deferred"} | changes))  # type: ignore[arg-type]


def test_limits_hold_where_the_edge_helps() -> None:
    limited = Sharded("deferred", "least-makespan", cap=0.3, hedge=1.0, backup="edge")
    seen = sights(plan_for(limited).steps, TOPOLOGY).values()
    assert worst_coalition(seen, model_named("sam-vit-b").shard_fractions, 1) <= 0.3 + 1e-9


def test_more_copies_than_there_are_clouds_are_refused() -> None:
    with pytest.raises(PolicyError, match="17 wanted"):
        plan_for(replace(DEFERRED, copies=17))


def test_a_hedge_waits_for_as_long_as_a_round_takes_if_nobody_is_late() -> None:
    """What is predicted is about what the simulator then takes for the round."""
    plan = plan_for(replace(DEFERRED, hedge=1.0))
    (timer,) = (s for s in plan.steps if isinstance(s, Wait) and s.delay_s)
    records = {record.step: record for record in run(DEFERRED, requests=1).records}
    answers = [n for n, s in enumerate(plan_for(DEFERRED).steps)
               if isinstance(s, Transfer) and s.target == "jetson"]  # fmt: skip
    first = next(n for n, s in enumerate(plan_for(DEFERRED).steps) if isinstance(s, Transfer))
    took_s = max(records[n].end_s for n in answers) - records[first].queued_s
    assert timer.delay_s == pytest.approx(took_s, rel=0.25)
