import pytest

from sim.errors import ScenarioError
from sim.policies.chain import Local
from tests.conftest import TwoParts
from topologies.errors import TopologyError
from workloads.arrivals import Poisson
from workloads.workload import Workload


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origins": ()}, "origins: name at least one node"),
        ({"deadline_s": 0.0}, "deadline: give a positive duration"),
        ({"seed": -1}, "seed: give a whole number"),
        ({"replications": 0}, "replications: run at least one"),
        ({"warm_up": 1}, "warm_up: leave some of the 1 requests"),
        ({"view_age_s": -1.0}, "view_age: give a duration"),
        ({"patience_s": 0.0}, "patience: give a positive duration"),
        ({"origins": ("a",)}, "node 'a' is not trusted"),
    ],
)
def test_an_impossible_value_is_named(make_scenario, changes, words) -> None:
    with pytest.raises(ScenarioError, match=words):
        make_scenario(Local(), **changes)


def test_an_origin_that_is_not_there_is_named(make_scenario) -> None:
    with pytest.raises(TopologyError, match=r"'egde'.*'edge'"):
        make_scenario(Local(), origins=("egde",))


def test_replications_differ_and_repeat(make_scenario) -> None:
    scenario = make_scenario(Local(), workload=Workload(TwoParts(), Poisson(1.0), 5))
    first, again, other = (scenario.requests(number) for number in (0, 0, 1))
    assert first == again
    assert first != other
