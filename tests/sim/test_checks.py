"""How many guesses hold where nobody writes a text: the same luck for whoever asks."""

from dataclasses import replace

import pytest

from experiments.scenarios.loader import load
from sim.checks import Checks
from workloads.llama.acceptance import Independent, Replayed

ONE = ("workload.requests=3", "replications=2")


@pytest.fixture
def scenario():
    return load("llama2-7b-jetson-cloud", ONE)


def requests_of(scenario, acceptance):
    return [
        replace(each, model=replace(each.model, acceptance=acceptance))
        for each in scenario.requests(0)
    ]


def test_texts_have_luck_of_their_own_however_they_take_turns(scenario):
    first, second, _ = requests_of(scenario, Independent(0.7))
    one, other = Checks(scenario, 0), Checks(scenario, 0)
    alone = [[one.kept(text, 5) for _ in range(30)] for text in (first, second)]
    in_turn = [[other.kept(text, 5) for text in (first, second)] for _ in range(30)]
    assert [list(each) for each in zip(*in_turn, strict=True)] == alone
    assert alone[0] != alone[1]
    assert {1, 5} <= set(alone[0]) <= {1, 2, 3, 4, 5}


def test_another_replication_has_other_luck_and_the_same_one_the_same(scenario):
    text = requests_of(scenario, Independent(0.7))[0]
    found = []
    for replication in (0, 1, 0):
        checks = Checks(scenario, replication)
        found.append([checks.kept(text, 5) for _ in range(30)])
    assert found[0] == found[2] != found[1]


def test_what_was_measured_is_replayed_from_its_start_for_each_text(scenario):
    first, second, _ = requests_of(scenario, Replayed((1, 4, 2)))
    checks = Checks(scenario, 0)
    assert [checks.kept(first, 5) for _ in range(4)] == [1, 4, 2, 1]
    assert [checks.kept(second, 3) for _ in range(2)] == [1, 3]
    checks.forget(first)
    checks.forget(first)
    assert [checks.kept(first, 5), checks.kept(second, 5)] == [1, 2]


def test_what_writes_no_text_is_kept_whole():
    scenario = load("jetson-16-clouds", ("workload.requests=1", "warm_up=0"))
    (request,) = scenario.requests(0)
    assert Checks(scenario, 0).kept(request, 7) == 7
