"""The split that chooses itself: quick enough, then as private as can be, then true to its word."""

from dataclasses import replace

import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.faults import Fault, FaultPlan
from sim.policies.lambda_split import LambdaSplit
from sim.policies.lambda_split_best import DRAFTS, LambdaSplitBest, choice, forecast
from sim.policies.placement import Job
from sim.policies.registry import policy_named
from sim.policy import Estimates
from sim.tables import Tables
from sim.trace import FINISHED, REFUSED

ONE = ("workload.requests=1", "replications=1", "workload.arrivals={kind: closed, clients: 1}")
GUESSING = "workload.text.acceptance=0.6"


def scenario_of(policy, *settings):
    return load("llama2-7b-jetson-cloud", [*ONE, *settings], policy)


def world_of(scenario):
    rates = tuple(channel.rate_bits_per_s for channel in scenario.topology.channels)
    return Estimates(scenario.topology, scenario.cost, rates)


def chosen(policy, *settings):
    scenario = scenario_of("lambda-split", *settings)
    return choice(policy, Job(scenario.workload.model, "jetson"), world_of(scenario))


def every_cut(drafts=(0,)):
    return [
        LambdaSplit(a, b, draft=draft)
        for a in range(1, 31)
        for b in range(a + 1, 32)
        for draft in drafts
    ]


def test_without_a_target_no_other_cut_is_quicker():
    scenario = scenario_of("lambda-split", GUESSING)
    job, world = Job(scenario.workload.model, "jetson"), world_of(scenario)
    best = forecast(chosen(LambdaSplitBest(), GUESSING), job, "jetson", world)
    others = [forecast(split, job, "jetson", world) for split in every_cut(DRAFTS)]
    assert best.tokens_per_s == max(found.tokens_per_s for found in others)


@pytest.mark.parametrize("rate", [15.0, 20.0, 30.0])
def test_of_all_cuts_that_meet_the_target_none_keeps_more_layers_from_the_cloud(rate):
    scenario = scenario_of("lambda-split")
    job, world = Job(scenario.workload.model, "jetson"), world_of(scenario)
    best = chosen(LambdaSplitBest(tokens_per_s=rate, most_draft=0))
    enough = [
        split for split in every_cut() if forecast(split, job, "jetson", world).tokens_per_s >= rate
    ]
    assert min(best.a, 32 - best.b) == max(min(split.a, 32 - split.b) for split in enough)
    assert best in enough


def test_the_simulated_text_keeps_the_promise():
    scenario = scenario_of("lambda-split-best:tokens_per_s=20,most_draft=0")
    (row,) = Tables(Simulator().run(scenario)).requests().to_dict("records")
    assert 1 / row["token_gap_s"] >= 20 * 0.99
    job = Job(scenario.workload.model, "jetson")
    promised = forecast(choice(scenario.policy, job, world_of(scenario)), job, "jetson",
                        world_of(scenario))  # fmt: skip
    assert 1 / row["token_gap_s"] == pytest.approx(promised.tokens_per_s, rel=0.02)
    assert row["latency_s"] == pytest.approx(promised.latency_s, rel=0.02)


def test_the_floor_on_privacy_and_the_edges_memory_bound_the_cut():
    best = chosen(LambdaSplitBest(least_depth=4, least_after=6, most_draft=0))
    assert (best.a, best.b) == (4, 26)
    scenario = scenario_of("lambda-split-best:least_depth=31,least_after=1")
    (ended,) = Simulator().run(scenario).outcomes
    assert ended.outcome == REFUSED
    assert "no cut of llama2-7b with 31 layers before and 1 after" in ended.reason


def test_guesses_are_made_only_where_they_hold_often_enough():
    assert chosen(LambdaSplitBest()).draft == 0
    assert chosen(LambdaSplitBest(), GUESSING).draft > 0


def test_fewer_bits_travel_only_where_that_is_allowed_and_needed():
    slow = "topology=llama2-7b-jetson-cloud-85ms"
    assert chosen(LambdaSplitBest(), slow).codec == "fp16"
    allowed = LambdaSplitBest(codecs="fp16+int8")
    assert chosen(allowed, slow).codec == "int8", "the quickest, however little it gains"
    met = LambdaSplitBest(codecs="fp16+int8", tokens_per_s=1.0)
    assert chosen(met, slow).codec == "fp16"


def test_a_text_keeps_its_cut_when_the_world_changes():
    policy = "lambda-split-best:tokens_per_s=20"
    cloud = Tables(Simulator().run(scenario_of(policy, GUESSING))).exposure()["node"].iloc[0]
    faults = FaultPlan((Fault(2.0, cloud, "crash"),))
    hit = replace(scenario_of(policy, GUESSING), faults=faults)
    tables = Tables(Simulator().run(hit))
    (row,) = tables.requests().to_dict("records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 300)
    assert len(tables.holdings().groupby(["depth_least", "depth_most"])) == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lambda-split-best:least_depth=0", "least_depth: 0; give at least 1"),
        ("lambda-split-best:tokens_per_s=-1", "tokens_per_s: -1"),
        ("lambda-split-best:codecs=fp16+fp3", "codec: 'fp3' is unknown"),
    ],
)
def test_an_impossible_choice_is_told_when_it_is_made(spec, words):
    with pytest.raises(PolicyError, match=words):
        policy_named(spec)
