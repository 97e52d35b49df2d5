"""A policy that says it does not read the load is spared it, and held to its word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.plan import Compute, Plan
from sim.policies.sharded import Sharded
from sim.policy import Progress, View
from tests.conftest import MakeScenario
from workloads.stage import Request, Stage

PLAN = Plan((Compute("edge", (Stage("work", 1e12, 0.0),)),))


@dataclass(frozen=True)
class Peeking:
    """A policy that reads what it said it would not."""

    look: Callable[[View], object]
    reads_load: ClassVar[bool] = False

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del request, progress
        self.look(view)
        return PLAN


@pytest.mark.parametrize(
    ("look", "name"),
    [
        (lambda view: view.backlog_s["edge"], "backlog_s"),
        (lambda view: dict(view.backlog_s), "backlog_s"),
        (lambda view: len(view.backlog_s), "backlog_s"),
        (lambda view: view.channel_flows[0], "channel_flows"),
        (lambda view: sum(view.channel_flows), "channel_flows"),
        (lambda view: len(view.channel_flows), "channel_flows"),
    ],
)
@pytest.mark.parametrize("view_age_s", [0.0, 0.1])
def test_reading_it_all_the_same_is_an_error(
    make_scenario: MakeScenario, look: Callable[[View], object], name: str, view_age_s: float
) -> None:
    with pytest.raises(PolicyError, match=f"reads {name} of its view, but has reads_load = False"):
        Simulator().run(make_scenario(Peeking(look), view_age_s=view_age_s))


def test_the_rest_of_the_view_is_there(make_scenario: MakeScenario) -> None:
    seen: list[View] = []
    scenario = make_scenario(Peeking(seen.append), arrivals_s=(0.5,), view_age_s=0.2)
    Simulator().run(scenario)
    assert (seen[0].now_s, seen[0].topology) == (0.5, scenario.topology)
    assert seen[0].age_s == pytest.approx(0.2)


def test_sharded_reads_no_load() -> None:
    assert not Sharded("deferred").reads_load
