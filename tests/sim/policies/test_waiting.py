"""Load that was seen is believed the less the older it is; and that is worth its while."""

from dataclasses import replace
from math import exp, inf

import numpy as np
import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.policies.sharded import Sharded
from sim.policies.waiting import NO_WAITING, waits_s
from sim.runner import Scenario
from tests.conftest import At
from tests.sim.policies.test_sharded import view_of
from topologies.builders import star
from topologies.serving import BackgroundLoad
from topologies.topology import Topology
from workloads.catalogue import model_named
from workloads.workload import Workload

LAB = star(edge="jetson-agx-orin-64gb", clouds=["t4"] * 4, rate_bits_per_s=1e9, delay_s=1e-3)
CLOUDS = [cloud.name for cloud in LAB.clouds]
LOAD_S = dict(zip(CLOUDS, (0.0, 1.0, 2.0, 5.0), strict=True))
OTHERS = BackgroundLoad(utilisation=0.6, service_s=0.4)


def seen(age_s: float):
    view = view_of(LAB)
    return replace(view, age_s=age_s, backlog_s={**view.backlog_s, **LOAD_S})


def busy() -> Topology:
    nodes = tuple(
        replace(node, serving=replace(node.serving, background=OTHERS))
        if node.name in CLOUDS else node
        for node in LAB.nodes
    )  # fmt: skip
    return replace(LAB, nodes=nodes)


def mean_s(trust_s: float, view_age_s: float) -> float:
    requests = 250
    workload = Workload(
        model_named("sam-vit-b"), At(tuple(1.5 * n for n in range(requests))), requests
    )
    origin = next(node.name for node in LAB.nodes if node.trusted and node.device)
    policy = Sharded("deferred", codec="int8", clouds=2, trust_s=trust_s)
    scenario = Scenario("busy", busy(), workload, policy, "busy", (origin,), 1.0)
    trace = Simulator().run(replace(scenario, view_age_s=view_age_s))
    return float(np.mean([outcome.latency_s for outcome in trace.outcomes]))


def test_what_is_new_is_believed_and_what_is_old_is_not() -> None:
    assert waits_s(seen(0.0), 1.0) == LOAD_S
    assert set(waits_s(seen(1e3), 1.0).values()) == {0.0}  # all of it is done by now
    old = replace(seen(0.0), age_s=1.0)
    worked_off = [0.0, 0.0, 1.0, 4.0]
    for trust_s, part in ((1.0, exp(-1.0)), (inf, 1.0), (1e-3, 0.0)):
        expected = [1.25 + part * (each - 1.25) for each in worked_off]
        assert list(waits_s(old, trust_s).values()) == pytest.approx(expected)


def test_of_clouds_of_which_nothing_was_seen_nothing_is_believed() -> None:
    assert waits_s(replace(seen(0.0), backlog_s={}), 1.0) == NO_WAITING


def test_looking_at_load_pays_and_old_looks_are_not_overrated() -> None:
    blind_s, looking_s = mean_s(0.0, 0.0), mean_s(inf, 0.0)
    assert looking_s < 0.8 * blind_s
    assert mean_s(0.5, 3.0) < 1.1 * blind_s


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"trust_s": -1.0}, "trust_s: -1.0"),
    ({"trust_s": float("nan")}, "trust_s: nan"),
    ({"trust_s": 1.0, "assignment": "heft"}, "does not look at load"),
])  # fmt: skip
def test_trust_that_is_none_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        Sharded(**({"mode": "deferred"} | changes))  # type: ignore[arg-type]
