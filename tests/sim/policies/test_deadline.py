"""The most private way, or the cheapest, that is in time."""

import pytest

from sim.engine.simulator import Simulator
from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute, Plan, Transfer
from sim.policies.deadline import DeadlineAware
from sim.policies.forecast import forecast_s
from tests.conftest import At, small_topology
from tests.sim.policies.test_chain import plan_for, view_of
from workloads.catalogue import model_named
from workloads.workload import Workload

SAM = model_named("sam-vit-b")


def clouds_of(plan: Plan) -> set[str]:
    return {step.node for step in plan.steps if isinstance(step, Compute)} - {"edge"}


def way(policy: DeadlineAware, **backlog_s: float) -> Plan:
    return plan_for(policy, SAM, view_of(small_topology(), **backlog_s))


def test_with_time_enough_what_clouds_see_counts_or_what_they_are_paid() -> None:
    private = way(DeadlineAware(60_000, clouds="1+2"))
    assert clouds_of(private) == {"a", "b"}
    cheap = way(DeadlineAware(60_000, goal="cheap", clouds="1+2"))
    assert clouds_of(cheap) == {"a"}  # b charges for what leaves it


def test_the_first_that_is_in_time_is_taken_though_another_would_be_quicker() -> None:
    fine = way(DeadlineAware(60_000, modes="exact", codecs="fp16", clouds="2"))
    view = view_of(small_topology())
    fine_ms = 1e3 * forecast_s(fine, view)
    choice = DeadlineAware(fine_ms * 1.2, modes="exact+deferred", codecs="fp16+int8", clouds="2")
    tight = way(DeadlineAware(fine_ms * 0.7, modes="exact+deferred", codecs="fp16", clouds="2"))
    assert forecast_s(way(choice), view) <= fine_ms * 1.2e-3 / 1.1
    assert forecast_s(tight, view) < forecast_s(fine, view)
    assert {s.codec for s in tight.steps if isinstance(s, Transfer)} == {"fp16"}


def test_where_none_is_in_time_it_says_so_or_takes_the_quickest() -> None:
    with pytest.raises(CannotServeError, match=r"none of 2 ways .* hold 5 ms; the quickest takes"):
        way(DeadlineAware(5.0))
    degraded = way(DeadlineAware(5.0, overload="degrade"))
    assert clouds_of(degraded)
    busy = DeadlineAware(20_000)
    assert clouds_of(way(busy))
    with pytest.raises(CannotServeError):
        way(busy, edge=60.0)


def test_requests_that_are_turned_away_are_told_why(make_scenario) -> None:
    work = Workload(SAM, At((0.0,)), 1)
    trace = Simulator().run(make_scenario(DeadlineAware(5.0), workload=work))
    assert trace.outcomes[0].outcome == "refused"
    assert "ways is predicted to hold 5 ms" in trace.outcomes[0].reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"deadline_ms": 0.0}, "deadline_ms: 0.0"),
        ({"margin": -1.0}, "margin: -1.0"),
        ({"modes": "deferred+defered"}, "modes: 'defered' is unknown; choose of exact"),
        ({"codecs": "int7"}, "codecs: 'int7' is unknown"),
        ({"clouds": "4+x"}, "clouds: 'x' is no number of clouds"),
    ],
)
def test_a_mistake_names_its_field(fields, words) -> None:
    with pytest.raises(PolicyError, match=words.replace("+", r"\+")):
        DeadlineAware(**fields)
