"""Λ-Split in the simulator: bytes, the law of its token rate, transports, crashes, exposure."""

from dataclasses import replace
from itertools import pairwise

import pytest

from experiments.campaign import run_campaign
from experiments.scenarios.loader import load
from sim.cost import Roofline
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.faults import Fault, FaultPlan
from sim.plan import Compute, Transfer
from sim.policies.lambda_split import LambdaSplit
from sim.policies.registry import PAINTING, WRITING, policies_for, policy_named
from sim.policies.token_rounds import Pace, rounds
from sim.tables import Tables
from sim.trace import FINISHED, REFUSED
from topologies.serving import Batching, MemoryLimit, Serving
from workloads.catalogue import model_named

ONE = ("workload.requests=1", "replications=1", "workload.arrivals={kind: closed, clients: 1}")
WAN = "topology=llama2-7b-jetson-cloud-85ms"
POSITION_BYTES = 8192


def written(policy="lambda-split", *settings):
    scenario = load("llama2-7b-jetson-cloud", [*ONE, *settings], policy)
    return scenario, Tables(Simulator().run(scenario))


def metrics_of(policy, *settings):
    metrics = run_campaign(
        load("llama2-7b-jetson-cloud", [*ONE, *settings], policy), Simulator()
    ).metrics
    return {name: value.mean for name, value in metrics.items()}


def round_trip_and_compute_s(scenario, cloud, positions=1):
    """Return the two terms of the law, from the topology and the prices of a round in mid-text."""
    llama, topology = scenario.workload.model, scenario.topology
    ways = (topology.route("jetson", cloud), topology.route(cloud, "jetson"))
    parts = (
        (llama.head(1, positions, 165), "jetson"),
        (llama.middle(1, 31, positions, 165), cloud),
        (llama.tail(31, positions, 165, tokens=positions), "jetson"),
    )
    compute_s = sum(Roofline().seconds(stage, topology.node(name).device) for stage, name in parts)
    return sum(way.delay_s for way in ways), compute_s


def test_300_tokens_take_2_58_megabytes_each_way():
    _, tables = written()
    (row,) = tables.requests().to_dict(orient="records")
    assert row["bytes_up"] == row["bytes_down"] == (16 + 299) * POSITION_BYTES
    assert row["bytes_up"] / 1e6 == pytest.approx(2.58, abs=0.005)
    assert row["tokens"] == 300


def test_sending_the_whole_prefix_again_takes_406_7_megabytes_each_way():
    _, tables = written("lambda-split:resend=prefix")
    (row,) = tables.requests().to_dict(orient="records")
    assert row["bytes_up"] == row["bytes_down"]
    assert row["bytes_up"] / 1e6 == pytest.approx(406.7, abs=0.05)


def test_without_speculation_the_token_rate_is_one_per_round_trip_and_compute():
    scenario, tables = written("lambda-split", WAN)
    (row,) = tables.requests().to_dict(orient="records")
    steps = tables.steps()
    cloud = steps.loc[steps["stage"] == "llama.middle", "node"].iloc[0]
    round_trip_s, compute_s = round_trip_and_compute_s(scenario, cloud)
    assert round_trip_s == pytest.approx(0.085)
    law = 1 / (round_trip_s + compute_s)
    assert row["tokens"] / row["latency_s"] == pytest.approx(law, rel=0.05)
    assert 1 / row["token_gap_s"] == pytest.approx(law, rel=0.01)
    assert 1 / row["token_gap_s"] != pytest.approx(1 / round_trip_s, rel=0.05)


@pytest.mark.parametrize("kept", [(1, 2), (2, 3), (4,)])
def test_with_guesses_the_token_rate_is_the_acceptance_per_round_trip_and_compute(kept):
    acceptance = sum(kept) / len(kept)
    measured = f"workload.text.acceptance={list(kept)}"
    scenario, tables = written("lambda-split:draft=4", WAN, measured)
    (row,) = tables.requests().to_dict(orient="records")
    steps = tables.steps()
    cloud = steps.loc[steps["stage"] == "llama.middle", "node"].iloc[0]
    law = acceptance / sum(round_trip_and_compute_s(scenario, cloud, positions=5))
    assert row["tokens"] == 300
    assert 1 / row["token_gap_s"] == pytest.approx(law, rel=0.05)


def test_the_published_transports_come_out_in_their_order():
    specs = (
        "lambda-split:resend=prefix,connection=new",
        "lambda-split:connection=new",
        "lambda-split",
        "lambda-split:draft=4",
    )
    measured = "workload.text.acceptance=[2, 3]"
    rates = [metrics_of(spec, WAN, measured)["tokens_per_s"] for spec in specs]
    assert rates == sorted(rates)
    assert all(later > 1.8 * earlier for earlier, later in pairwise(rates))


def test_no_cloud_gets_prompt_or_token_and_one_that_writes_alone_has_both():
    held = written()[1].holdings()
    assert held["tensor"].tolist() == ["hidden"]
    assert held[["depth_least", "depth_most"]].to_numpy().tolist() == [[1, 31]]
    alone = written("cloud-only")[1].holdings().set_index("tensor")
    assert set(alone.index) == {"prompt", "token"}
    assert alone.loc["token", "tokens"] == 300
    assert written("edge-only")[1].holdings().empty


def test_pipelined_clouds_have_consecutive_layers_and_none_the_whole_middle():
    scenario, tables = written("lambda-split/pipelined:a=2,b=28")
    held = tables.holdings().sort_values("depth_least")
    assert held["depth_least"].tolist() == [2, 10, 19]
    assert held["depth_most"].tolist() == [10, 19, 28]
    assert held["provider"].nunique() == 3
    (plan,) = {step.plan for step in Simulator().run(scenario).records}
    middles = [s for s in plan.steps if isinstance(s, Compute) and s.stages[0].kind.endswith("dle")]
    ran = [block for step in middles[:3] for block in step.stages[0].blocks]
    assert ran == list(range(2, 28))


def test_the_parts_do_the_work_of_the_whole():
    _, tables = written("lambda-split:a=4,b=20")
    whole = written("edge-only")[1].steps()["flops"].sum()
    assert tables.steps()["flops"].sum() == pytest.approx(whole, rel=1e-9)


def test_a_middle_without_layers_needs_no_cloud():
    _, tables = written("lambda-split:a=7,b=7")
    assert tables.holdings().empty
    assert set(tables.steps()["stage"]) == {"llama.head+llama.tail"}


def test_reading_a_long_prompt_in_pieces_overlaps_with_sending_it():
    long = ("workload.text={prompt_tokens: 2048, output_tokens: 2}",)
    at_once = metrics_of("lambda-split", *long)["first_token_s"]
    in_pieces = metrics_of("lambda-split:chunk=256", *long)["first_token_s"]
    assert in_pieces < 0.9 * at_once


def test_a_crash_in_mid_text_costs_no_token_and_one_round_with_every_position():
    scenario = load("llama2-7b-jetson-cloud", list(ONE), "lambda-split")
    (first,) = written()[1].exposure()["node"]
    faults = FaultPlan((Fault(4.0, first, "crash"),))
    trace = Simulator().run(replace(scenario, faults=faults))
    (outcome,) = trace.outcomes
    assert outcome.outcome == FINISHED
    (row,) = Tables(trace).requests().to_dict(orient="records")
    assert row["tokens"] == 300
    second = [r for r in trace.records if r.attempt == 1]
    sent = [s for r in second if isinstance(s := r.plan.steps[r.step], Transfer)]
    done = 300 - sum(trip.tokens for trip in rounds(Pace(), 16, 300)[: len(second) // 5])
    assert sent[0].payload.tokens == 16 + done
    assert sent[0].target != first
    assert [step.payload.tokens for step in sent[1:]] == [1] * (len(sent) - 1)


def test_a_cloud_that_takes_over_a_text_is_sent_prompt_and_tokens_and_goes_on():
    scenario = load("llama2-7b-jetson-cloud", list(ONE), "cloud-only")
    first = written("cloud-only")[1].exposure()["node"][0]
    trace = Simulator().run(replace(scenario, faults=FaultPlan((Fault(1.0, first, "crash"),))))
    tables = Tables(trace)
    (row,) = tables.requests().to_dict(orient="records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 300)
    steps = tables.steps().query("attempt == 1")
    (again,) = steps.loc[(steps["stage"] == "token") & (steps["source"] == "jetson"), "bytes"]
    done = again / 4
    assert 0 < done < 300
    assert (steps["stage"] == "llama.whole").sum() == 300 - done
    longest = steps.loc[steps["stage"] == "llama.whole", "flops"].max()
    assert longest == scenario.workload.model.whole(16 + int(done), 0).flops


def test_after_a_loss_only_what_is_left_is_written():
    found = rounds(Pace(), 16, 300, done=100, cached=False)
    assert (found[0].new, found[0].past, found[0].sent, found[0].sent_past) == (1, 115, 116, 0)
    assert sum(trip.tokens for trip in found) == 200
    assert [trip.first_token(16) for trip in found[:3]] == [100, 101, 102]
    assert sum(trip.new for trip in rounds(Pace(chunk=5), 16, 300)) == 16 + 299


def test_guesses_are_planned_one_check_at_a_time_and_no_token_comes_twice():
    scenario, tables = written("lambda-split:draft=4", "workload.text.acceptance=0.7")
    (row,) = tables.requests().to_dict(orient="records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 300)
    checks = tables.steps().query("stage == 'llama.tail'")
    assert checks["tokens"].sum() == 300
    assert checks["tokens"].iloc[1:-1].between(1, 5).all()
    theory = (1 - 0.7**5) / (1 - 0.7)
    assert checks["tokens"].iloc[1:-1].mean() == pytest.approx(theory, rel=0.15)
    again = Tables(Simulator().run(scenario)).steps()
    assert again.equals(tables.steps())


def test_a_text_goes_on_where_its_caches_are_and_elsewhere_after_a_loss():
    guessing = ("lambda-split:draft=4", "workload.text.acceptance=0.5")
    scenario, tables = written(*guessing)
    middles = tables.steps().query("stage == 'llama.middle'")
    assert middles["node"].nunique() == 1
    crash = FaultPlan((Fault(3.0, middles["node"].iloc[0], "crash"),))
    hit = Tables(Simulator().run(replace(scenario, faults=crash)))
    (row,) = hit.requests().to_dict(orient="records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 300)
    after = hit.steps().query("stage == 'llama.middle' and outcome == 'finished'")
    assert after["node"].nunique() == 2
    sent = hit.steps().query("stage == 'hidden' and source == 'jetson'")["bytes"]
    assert (sent > 20 * POSITION_BYTES).sum() == 1, "every position is sent once more, once"


def test_any_token_may_end_an_answer_where_the_end_token_stops_it():
    _, tables = written("lambda-split", "workload.text={sampling: {stop: true}, output_tokens: 20}")
    (row,) = tables.requests().to_dict(orient="records")
    assert row["tokens"] == 20
    assert tables.steps()["attempt"].max() == 19, "planned token by token"


def test_texts_written_in_step_share_batches_and_the_weights_they_read():
    two = ("workload.arrivals={kind: closed, clients: 2}", "workload.requests=2")
    scenario = load("llama2-7b-jetson-cloud", [*ONE, *two], "lambda-split")
    busy_s = {}
    for largest in (0, 2):
        batch = Batching(largest, wait_s=0.02) if largest else None
        trace = Simulator().run(served(scenario, memory=MemoryLimit(), batch=batch))
        busy_s[largest] = sum(trace.busy_s[cloud.name] for cloud in scenario.topology.clouds)
    assert busy_s[2] == pytest.approx(busy_s[0] / 2, rel=0.05)


def test_texts_share_batches_wherever_in_their_texts_they_are():
    apart = (
        "workload.arrivals={kind: poisson, rate_per_s: 2.0}",
        "workload.requests=6",
        "workload.text.prompt_tokens={kind: uniform, low: 8, high: 200}",
    )
    busy_s = {}
    for largest in (0, 8):
        batch = Batching(largest, wait_s=0.002) if largest else None
        hit = served(load("llama2-7b-jetson-cloud", [*ONE, *apart], "lambda-split"), batch=batch)
        trace = Simulator().run(hit)
        assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
        busy_s[largest] = sum(trace.busy_s[cloud.name] for cloud in hit.topology.clouds)
    assert busy_s[8] < 0.85 * busy_s[0]


def test_texts_that_find_no_room_for_their_caches_are_sent_again_and_all_are_written():
    texts = ("workload.arrivals={kind: closed, clients: 4}", "workload.requests=4")
    short = "workload.text={prompt_tokens: 64, output_tokens: 40}"
    scenario = load("llama2-7b-jetson-cloud", [*ONE, *texts, short], "lambda-split")
    one_text_bytes = scenario.workload.model.kv_bytes(30) * 104
    ended, evicted = {}, {}
    for room in (4, 2):
        limit = MemoryLimit(caches_bytes=round(room * one_text_bytes))
        faults = replace(scenario.faults, plans=1000)
        trace = Simulator().run(replace(served(scenario, memory=limit), faults=faults))
        table = Tables(trace).requests()
        assert table["outcome"].tolist() == [FINISHED] * 4
        assert table["tokens"].tolist() == [40] * 4
        ended[room], evicted[room] = trace.end_s, len(trace.incidents)
    assert evicted[4] == 0
    assert evicted[2] > 0
    assert ended[2] > ended[4]


def served(scenario, **serving):
    nodes = tuple(
        replace(node, serving=Serving(**serving)) if node.role == "cloud" else node
        for node in scenario.topology.nodes
    )
    return replace(scenario, topology=replace(scenario.topology, nodes=nodes))


def test_a_model_that_no_cloud_has_room_for_is_shared_or_refused():
    big = ("workload.model=llama2-70b", "workload.text.output_tokens=2")
    (row,) = written("lambda-split/pipelined:clouds=2", *big)[1].requests().to_dict("records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 2)
    for policy, words in (
        ("lambda-split:clouds=1", "no cloud that is up has the memory for 133 GB"),
        ("cloud-only", "no cloud that is up has the memory for 138 GB"),
        ("edge-only", "weights and caches need 138 GB, but 'jetson' has 64 GB"),
        ("lambda-split:a=20,b=60", "weights and caches need 69.5 GB, but 'jetson' has 64 GB"),
    ):
        (row,) = written(policy, *big)[1].requests().to_dict("records")
        assert row["outcome"] == REFUSED
        assert words in row["reason"]


def test_caches_of_a_long_text_take_room_as_well():
    medium = "workload.model=llama2-13b"
    long = "workload.text={prompt_tokens: 2000, output_tokens: 2000}"
    small = replace(
        load("llama2-7b-jetson-cloud").topology.node("jetson").device, memory_bytes=28e9
    )
    for settings, outcome in (((medium,), FINISHED), ((medium, long), REFUSED)):
        scenario = load("llama2-7b-jetson-cloud", [*ONE, *settings], "edge-only")
        nodes = tuple(
            replace(node, device=small) if node.name == "jetson" else node
            for node in scenario.topology.nodes
        )
        topology = replace(scenario.topology, nodes=nodes)
        (ended,) = Simulator().run(replace(scenario, topology=topology)).outcomes
        assert ended.outcome == outcome


@pytest.mark.parametrize("policy", ["local", "offload", "best-split"])
def test_policies_of_one_chain_answer_as_fast_as_those_that_write_round_by_round(policy):
    alone = {"local": "edge-only", "offload": "cloud-only", "best-split": "cloud-only"}[policy]
    assert metrics_of(policy)["mean_s"] == pytest.approx(metrics_of(alone)["mean_s"], rel=0.02)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lambda-split:a=0", "a: 0 would let a cloud embed the prompt"),
        ("lambda-split:draft=-1", "draft: -1; give 0 or more"),
        ("lambda-split:chunk=-1", "chunk: -1; give 0 or more"),
        ("lambda-split:resend=prefix,draft=2", "resend: prefix keeps nothing"),
    ],
)
def test_an_impossible_choice_is_told_when_it_is_made(spec, words):
    with pytest.raises(PolicyError, match=words):
        policy_named(spec)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("lambda-split:b=32", "llama2-7b has 32 layers; give 0 < a <= b < 32"),
        ("lambda-split:a=9,b=8", "a=9, b=8"),
        ("lambda-split:clouds=4", "clouds: 4 wanted, but .* has clouds of 3 providers"),
        ("lambda-split/lockstep", "model 'llama2-7b' paints nothing"),
    ],
)
def test_what_does_not_fit_model_or_topology_is_told(policy, words):
    with pytest.raises(PolicyError, match=words):
        written(policy)


def test_a_model_that_looks_at_pictures_writes_nothing():
    sam = replace(load("small-sam"), policy=LambdaSplit())
    with pytest.raises(PolicyError, match="model 'sam-small' writes no text"):
        Simulator().run(sam)


def test_each_kind_of_model_has_policies_made_for_it():
    assert policies_for(load("llama2-7b-jetson-cloud").workload.model) == tuple(WRITING)
    assert policies_for(load("sdxl-phone-cloud").workload.model) == tuple(PAINTING)
    assert "sharded/exact" in policies_for(model_named("sam-vit-b"))
