"""A bandit learns from endings alone what predictions have wrong."""

from collections import Counter
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.policies.bandit import FAILED_TIMES, Bandit, Belief
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED, Ending, View
from sim.runner import Scenario
from sim.trace import FAILED, FINISHED, Trace
from tests.conftest import At
from tests.sim.policies.test_sharded import view_of
from topologies.builders import star
from topologies.serving import NoiseModel
from topologies.topology import Topology
from workloads.catalogue import model_named
from workloads.stage import Request
from workloads.workload import Workload

CLOUDS = "4+2+1"
BANDIT = Bandit(clouds=CLOUDS)
SLOW = NoiseModel(factors=(40.0, 41.0))
"""The last two clouds take forty times as long as anybody would predict."""


def lab(slow: int = 0) -> Topology:
    alike = star(edge="jetson-agx-orin-64gb", clouds=["t4"] * 4, rate_bits_per_s=1e9, delay_s=0.01)
    clouds = [cloud.name for cloud in alike.clouds][4 - slow :] if slow else []
    nodes = tuple(
        replace(node, serving=replace(node.serving, noise=SLOW)) if node.name in clouds else node
        for node in alike.nodes
    )
    return replace(alike, nodes=nodes)


def origin_of(topology: Topology) -> str:
    return next(node.name for node in topology.nodes if node.trusted and node.device)


def run(policy: Bandit | Sharded, topology: Topology, requests: int = 150) -> Trace:
    arrivals = At(tuple(2.0 * n for n in range(requests)))
    workload = Workload(model_named("sam-vit-b"), arrivals, requests)
    return Simulator().run(
        Scenario("lab", topology, workload, policy, "lab", (origin_of(topology),), 1.0)
    )


def chosen(trace: Trace, since: int) -> Counter[str]:
    plans = {record.request: record.plan.choice for record in trace.records}
    return Counter(choice for request, choice in plans.items() if request >= since)


def asked(view: View, index: int, policy: Bandit = BANDIT) -> str:
    request = Request(index, 0.0, origin_of(view.topology), model_named("sam-vit-b"))
    return policy.plan(request, UNTOUCHED, view).choice


def test_what_predictions_have_wrong_is_learnt() -> None:
    trace = run(BANDIT, lab(slow=2))
    later = chosen(trace, since=75)
    assert later.most_common(1)[0][0].startswith("deferred/int8/2")
    assert later.most_common(1)[0][1] >= 60
    predicted = run(Sharded("deferred", codec="int8", clouds=4), lab(slow=2))
    took_s, would_s = (
        np.mean([o.latency_s for o in each.outcomes if o.request.index >= 75])
        for each in (trace, predicted)
    )
    assert took_s < 0.7 * would_s


def test_where_predictions_are_right_it_keeps_to_them() -> None:
    later = chosen(run(BANDIT, lab()), since=75)
    assert later.most_common(1)[0][0].startswith("deferred/int8/4")


def test_the_same_scenario_is_decided_alike_and_another_seed_differently() -> None:
    first, second = run(BANDIT, lab(2), 40), run(BANDIT, lab(2), 40)
    assert [o.latency_s for o in first.outcomes] == [o.latency_s for o in second.outcomes]
    drawn = [asked(view_of(lab()), n) for n in range(30)]
    assert drawn != [asked(view_of(lab()), n, replace(BANDIT, seed=1)) for n in range(30)]


def test_a_failure_counts_as_ten_times_as_long() -> None:
    view = view_of(lab())
    known = {asked(view, n) for n in range(60)}
    assert len(known) >= 2
    failing = sorted(known)[0]
    endings = tuple(Ending(choice, 0.0, 1.0, FAILED if choice == failing else FINISHED)
                    for choice in known for _ in range(20))  # fmt: skip
    told = replace(view, endings=endings)
    assert failing not in {asked(told, n) for n in range(60)}
    assert FAILED_TIMES == 10


def test_a_belief_is_that_of_all_that_was_seen_and_of_the_beginning() -> None:
    generator = np.random.default_rng(0)
    seen = generator.normal(log(0.2), 0.3, size=400)
    belief = Belief(log(0.5)).after(seen)
    assert exp(belief.mean) == pytest.approx(0.2, rel=0.05)
    assert belief.scale / (belief.shape - 1) == pytest.approx(0.09, rel=0.2)
    one_by_one = Belief(log(0.5))
    for each in seen:
        one_by_one = one_by_one.after([each])
    assert one_by_one == pytest.approx(belief)
    means = [belief.drawn(generator) for _ in range(4000)]
    assert np.mean(means) == pytest.approx(belief.mean, abs=0.002)
    assert np.std(means) == pytest.approx(0.3 / 20, rel=0.15)
    assert Belief(1.0).after([]) == Belief(1.0)


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"seed": -1}, "seed: -1"), ({"clouds": "4+x"}, "clouds: 'x'"), ({"modes": "nope"}, "nope"),
])  # fmt: skip
def test_what_is_no_choice_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        Bandit(**changes)  # type: ignore[arg-type]
