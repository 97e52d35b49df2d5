from dataclasses import replace

import pytest

from sim.source import Source
from tests.conftest import MakeScenario, Scripted, TwoParts, small_topology
from workloads.arrivals import Closed, Poisson
from workloads.catalogue import Text, workload_named
from workloads.lengths import Uniform
from workloads.workload import Workload


def test_an_open_workload_is_known_in_advance_and_nothing_follows(
    make_scenario: MakeScenario,
) -> None:
    scenario = make_scenario(Scripted(()), workload=Workload(TwoParts(), Poisson(1.0), 5))
    source = Source(scenario, 1)
    assert source.first() == list(scenario.requests(1))
    assert [source.after(request, 9.0) for request in source.first()] == [None] * 5


def test_a_client_of_a_closed_loop_asks_again_after_it_has_thought(
    make_scenario: MakeScenario,
) -> None:
    workload = Workload(TwoParts(), Closed(2, think_s=0.5), 4)
    source = Source(make_scenario(Scripted(()), workload=workload))
    first = source.first()
    assert [(request.index, request.arrival_s) for request in first] == [(0, 0.0), (1, 0.0)]
    third = source.after(first[1], 2.0)
    assert third is not None
    assert (third.index, third.arrival_s, third.origin) == (2, 2.5, "edge")
    assert source.after(third, 3.0) is not None
    assert source.after(first[0], 4.0) is None


def test_clients_of_several_origins_begin_in_turns_and_stay_where_they_are(
    make_scenario: MakeScenario,
) -> None:
    small = small_topology()
    nodes = (*small.nodes, replace(small.nodes[0], name="other"))
    links = (*small.links, replace(small.links[0], source="other"))
    scenario = make_scenario(
        Scripted(()),
        topology=replace(small, nodes=nodes, links=links),
        workload=Workload(TwoParts(), Closed(2), 9),
        origins=("edge", "other"),
    )
    source = Source(scenario)
    assert [r.origin for r in source.first()] == ["edge", "other", "edge", "other"]
    following = source.after(source.first()[1], 1.0)
    assert following is not None
    assert following.origin == "other"


@pytest.mark.parametrize("requests", [1, 2])
def test_more_clients_than_requests_send_no_more_than_asked_for(
    make_scenario: MakeScenario, requests: int
) -> None:
    workload = Workload(TwoParts(), Closed(3), requests)
    source = Source(make_scenario(Scripted(()), workload=workload))
    assert len(source.first()) == requests
    assert source.after(source.first()[0], 1.0) is None


def test_each_request_of_a_closed_loop_asks_for_a_length_of_its_own(
    make_scenario: MakeScenario,
) -> None:
    text = Text(16, Uniform(1, 1000))
    closed = workload_named("llama2-7b", Closed(1), 5, text=text)
    scenario = make_scenario(Scripted(()), workload=closed)
    source = Source(scenario, 1)
    (request,) = source.first()
    asked = [request]
    while (following := source.after(asked[-1], 1.0)) is not None:
        asked.append(following)
    opened = make_scenario(Scripted(()), workload=replace(closed, arrivals=Poisson(1.0)))
    assert [r.model for r in asked] == [r.model for r in opened.requests(1)]
    assert len({r.model for r in asked}) == 5
    assert [r.model for r in opened.requests(0)] != [r.model for r in opened.requests(1)]
