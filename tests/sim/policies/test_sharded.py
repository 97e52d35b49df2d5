"""Sharded SAM as plans: what travels, what is seen, who does what."""

from dataclasses import replace
from itertools import combinations
from typing import get_args

import pytest

from sim.cost import Roofline
from sim.errors import PolicyError
from sim.exposure import sights, worst_coalition
from sim.plan import Compute, Plan, Step, Transfer
from sim.policies.assignment import SchemeName
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED, Estimates, Progress, View
from tests.conftest import TwoParts, small_topology
from topologies.shipped import load
from topologies.topology import Topology
from workloads.catalogue import model_named
from workloads.privacy import noise_for
from workloads.sam.geometry import adjacent, windows
from workloads.stage import Request

TOPOLOGY = load("jetson-16-clouds")
SCHEMES = get_args(SchemeName)


CONSTRAINED = "privacy-constrained"


def view_of(topology: Topology) -> View:
    rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
    backlog_s = {node.name: 0.0 for node in topology.nodes if node.device}
    estimates = Estimates(topology, Roofline(), rates)
    return View(0.0, 0.0, estimates, backlog_s, (0,) * len(rates))


VIEW = view_of(TOPOLOGY)


def plan_for(policy: Sharded, model: str = "sam-vit-b", view: View = VIEW) -> Plan:
    return policy.plan(Request(0, 0.0, "jetson", model_named(model)), UNTOUCHED, view)


def traffic_mb(plan: Plan) -> tuple[float, float]:
    """Megabytes from the edge to the clouds, and back."""
    moves = [step for step in plan.steps if isinstance(step, Transfer)]
    up = sum(step.size_bytes for step in moves if step.source == "jetson")
    down = sum(step.size_bytes for step in moves if step.target == "jetson")
    return up / 1e6, down / 1e6


# sam.md: raw RGB 3.15 MB; one embedding is 64² tokens of `dim` numbers of two bytes.
PIXELS_MB = 1024**2 * 3 / 1e6
EMBEDDING_MB = {"sam-vit-b": 6.29, "sam-vit-l": 8.39, "sam-vit-h": 10.49}


@pytest.mark.parametrize("assignment", SCHEMES)
@pytest.mark.parametrize("model", EMBEDDING_MB)
def test_exact_moves_what_the_formula_says(model, assignment) -> None:
    up_mb, down_mb = traffic_mb(plan_for(Sharded("exact", assignment), model))
    assert up_mb == pytest.approx(PIXELS_MB + 3 * EMBEDDING_MB[model], rel=1e-3)
    assert down_mb == pytest.approx(4 * EMBEDDING_MB[model], rel=1e-3)


@pytest.mark.parametrize("mode", ["prefix", "deferred", "local-attention"])
@pytest.mark.parametrize("model", EMBEDDING_MB)
def test_one_round_modes_send_pixels_up_and_one_embedding_down(model, mode) -> None:
    up_mb, down_mb = traffic_mb(plan_for(Sharded(mode), model))
    assert up_mb == pytest.approx(PIXELS_MB, rel=1e-12)
    assert down_mb == pytest.approx(EMBEDDING_MB[model], rel=1e-3)


@pytest.mark.parametrize(("codec", "part"), [("fp32", 2.0), ("int8", 0.5), ("int4", 0.25)])
def test_codecs_scale_what_travels_apart_from_pixels(codec, part) -> None:
    _, full_mb = traffic_mb(plan_for(Sharded("deferred")))
    up_mb, down_mb = traffic_mb(plan_for(Sharded("deferred", codec=codec)))
    affine_mb = 4096 * 4 / 1e6 if codec.startswith("int") else 0.0  # scale and offset per token
    assert down_mb == pytest.approx(part * full_mb + affine_mb, rel=1e-12)
    assert up_mb == pytest.approx(PIXELS_MB, rel=1e-12)


@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred"])
def test_clouds_and_edge_together_do_the_whole_encoder_once(mode) -> None:
    whole = sum(link.stage.flops for link in model_named("sam-vit-b").chain)
    prepare = model_named("sam-vit-b").prepare.flops
    plan = plan_for(Sharded(mode))
    done = sum(
        stage.flops for step in plan.steps if isinstance(step, Compute) for stage in step.stages
    )
    assert done == pytest.approx(whole + prepare, rel=1e-9)


@pytest.mark.parametrize("mode", ["prefix", "deferred", "local-attention"])
def test_one_round_modes_show_no_cloud_a_mixture(mode) -> None:
    seen = sights(plan_for(Sharded(mode, "round-robin")).steps, TOPOLOGY)
    assert len(seen) == 16
    assert not any(sight.mixes for sight in seen.values())


def test_exact_shows_every_cloud_mixtures() -> None:
    seen = sights(plan_for(Sharded("exact", "round-robin")).steps, TOPOLOGY)
    assert all(sight.mixes for sight in seen.values())


def test_landmarks_mix_but_show_no_further_pixels() -> None:
    fractions = model_named("sam-vit-b").shard_fractions
    seen = sights(plan_for(Sharded("landmark", "round-robin")).steps, TOPOLOGY)
    assert worst_coalition(seen.values(), fractions, 1) < 0.1
    assert all(sight.mixes for sight in seen.values())


def test_a_landmark_of_one_token_shows_it() -> None:
    """Nothing is averaged with pool 1, nor where one token is left over: 196 = 3·65 + 1."""
    fractions = model_named("sam-vit-b").shard_fractions
    for pool, alone in ((49, 0.1), (65, 1.0), (1, 1.0)):
        seen = sights(plan_for(Sharded("landmark", "round-robin", pool=pool)).steps, TOPOLOGY)
        worst = worst_coalition(seen.values(), fractions, 1)
        assert worst < alone if pool == 49 else worst == pytest.approx(alone)


def test_coarser_landmarks_are_less_traffic_and_every_cloud_pools_alike() -> None:
    policies = [Sharded("landmark", pool=pool) for pool in (49, 98)]
    finer, coarser = (traffic_mb(plan_for(policy)) for policy in policies)
    assert coarser[0] < finer[0]
    assert coarser[1] < finer[1]
    for policy in policies:
        stages = [s for step in plan_for(policy).steps if isinstance(step, Compute)
                  for s in step.stages if s.kind == "sam.landmark"]  # fmt: skip
        assert {stage.setting("pool") for stage in stages} == {policy.pool}


def test_a_node_s_pixels_are_those_of_its_windows() -> None:
    fractions = model_named("sam-vit-b").shard_fractions
    seen = sights(plan_for(Sharded("deferred", "round-robin")).steps, TOPOLOGY)
    assert worst_coalition(seen.values(), fractions, 1) == pytest.approx(2 * 224**2 / 1024**2)
    assert worst_coalition(seen.values(), fractions, 16) == pytest.approx(1.0)


def test_the_number_of_clouds_can_be_limited_to_the_quickest() -> None:
    seen = sights(plan_for(Sharded("deferred", "round-robin", clouds=2)).steps, TOPOLOGY)
    assert set(seen) == {"aws-metro-a10g", "gcp-metro-l4"}


def test_an_origin_keeps_its_assignment() -> None:
    policy = Sharded("deferred", "random", seed=3)
    assert plan_for(policy) is plan_for(policy)


def test_embeddings_can_travel_instead_of_pixels() -> None:
    plan = plan_for(Sharded("deferred", upload="embeddings"))
    assert traffic_mb(plan)[0] == pytest.approx(6.29, rel=1e-3)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda: Sharded("exakt"), "mode: 'exakt' is unknown; choose one of exact, prefix"),
        (lambda: Sharded("exact", clouds=-1), "clouds: -1 is negative"),
        (lambda: Sharded("landmark", pool=0), "pool: 0; give at least 1 token per landmark"),
        (lambda: Sharded("exact", pool=7), "pool: 7 has no meaning in mode 'exact'; use 'landm"),
        (lambda: Sharded("exact", cap=0.1), "cap, coalition, coalition_cap: assignment 'speed-"),
        (lambda: Sharded("exact", CONSTRAINED, cap=0), "cap: 0; give a fraction above 0"),
        (lambda: Sharded("exact", CONSTRAINED, coalition_cap=1.5), "coalition_cap: 1.5; give a"),
        (lambda: Sharded("exact", CONSTRAINED, coalition=0), "coalition: 0; give a number"),
        (lambda: Sharded("exact", epsilon=4), "epsilon: .* upload is 'pixels'; use upload=embed"),
        (lambda: Sharded("exact", withhold=1), "withhold: has no meaning in mode 'exact'"),
        (lambda: Sharded("deferred", withhold=-1), "withhold: -1; give at least 1 patch"),
        (lambda: Sharded("deferred", trend=1), "trend: goes with means that are withheld"),
        (lambda: Sharded("deferred", withhold=1, trend=4), "trend: 4; give a degree from 0"),
        (
            lambda: Sharded("deferred", withhold=1, upload="embeddings"),
            "withhold: .*upload=embeddings; use prefix or deferred with upload=pixels",
        ),
        (lambda: Sharded("exact", upload="embeddings", epsilon=-1), "epsilon: -1; give a number"),
        (lambda: Sharded("exact", upload="embeddings", epsilon=1, delta=2), "delta: 2; give"),
        (lambda: Sharded("exact", upload="embeddings", epsilon=1, clip=0), "clip: 0; give a norm"),
        (
            lambda: Sharded("exact", upload="embeddings", clip=2),
            "delta, clip: .* give epsilon",
        ),
    ],
)
def test_an_impossible_parameter_is_named(policy, words) -> None:
    with pytest.raises(PolicyError, match=words):
        policy()


def test_more_clouds_than_there_are() -> None:
    with pytest.raises(PolicyError, match="17 wanted, but topology 'jetson-16-clouds' has 16"):
        plan_for(Sharded("exact", clouds=17))


def test_a_model_without_windows() -> None:
    request = Request(0, 0.0, "edge", TwoParts())
    with pytest.raises(PolicyError, match="model 'two-parts' is no SAM"):
        Sharded("exact").plan(request, UNTOUCHED, view_of(small_topology()))


def test_privacy_constrained_plans_show_no_more_than_told() -> None:
    fractions = model_named("sam-vit-b").shard_fractions
    policy = Sharded("deferred", CONSTRAINED, cap=0.1, coalition=3, coalition_cap=0.27)
    seen = sights(plan_for(policy).steps, TOPOLOGY).values()
    assert worst_coalition(seen, fractions, 1) <= 0.1 + 1e-9
    assert worst_coalition(seen, fractions, 3) <= 0.27 + 1e-9
    loose = sights(plan_for(Sharded("deferred", CONSTRAINED)).steps, TOPOLOGY).values()
    assert worst_coalition(loose, fractions, 3) > 0.27


@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred", "local-attention", "landmark"])
def test_noise_is_added_once_before_anything_leaves_the_edge(mode) -> None:
    plan = plan_for(Sharded(mode, upload="embeddings", epsilon=4.0, delta=1e-6, clip=2.0))
    _, first = [step for step in plan.steps if isinstance(step, Compute)][:2]
    kinds = [stage.kind for stage in first.stages]
    assert kinds == ["sam.patch_embed", "sam.privatise", "sam.split"]
    every = [s for step in plan.steps if isinstance(step, Compute) for s in step.stages]
    (noise,) = [stage for stage in every if stage.kind == "sam.privatise"]
    assert noise.settings == (("clip", 2.0), ("sigma", noise_for(4.0, 1e-6, 2.0).sigma))
    leaving = next(n for n, s in enumerate(plan.steps) if isinstance(s, Transfer))
    assert plan.steps.index(first) < leaving


def test_a_lost_cloud_s_windows_go_to_others_within_the_bounds() -> None:
    """Whoever has its fill already gets nothing more, and none gets a window beside its own."""
    model = model_named("sam-vit-b")
    fractions = model.shard_fractions
    policy = Sharded("deferred", CONSTRAINED, cap=0.12)
    request = Request(0, 0.0, "jetson", model)
    first = policy.plan(request, UNTOUCHED, VIEW).steps
    gone = next(s.target for s in first if isinstance(s, Transfer) and s.source == "jetson")
    lost = tuple(s for s in first if touches(s, gone))
    done = tuple(s for s in first[:-1] if s not in lost)
    progress = Progress(1, done, lost, 1)
    view = replace(VIEW, estimates=replace(VIEW.estimates, down=frozenset({gone})))
    second = policy.plan(request, progress, view).steps
    seen = sights((*first, *second), TOPOLOGY)
    again = sights(second, TOPOLOGY)
    assert again
    assert gone not in again
    assert worst_coalition(seen.values(), fractions, 1) <= 0.12 + 1e-9
    known = windows(model.variant)
    for sight in seen.values():
        assert not any(adjacent(known[a], known[b]) for a, b in combinations(sight.parts, 2))


def touches(step: Step, node: str) -> bool:
    return node in ((step.node,) if isinstance(step, Compute) else (step.source, step.target))


@pytest.mark.parametrize("lanes", [1, 3])
def test_in_lanes_so_many_shards_are_on_their_way_at_once(lanes: int) -> None:
    plan = plan_for(Sharded("exact", lanes=lanes))
    uploads = {
        number: step
        for number, step in enumerate(plan.steps)
        if isinstance(step, Transfer) and step.source == "jetson" and step.payload.shard
    }
    all_at_once = plan_for(Sharded("exact"))
    assert len(plan.steps) == len(all_at_once.steps)
    waits = [set(step.after) & uploads.keys() for step in uploads.values()]
    assert all(len(each) <= 1 for each in waits)  # only for the one before it in its lane
    followed = [earlier for each in waits for earlier in each]
    assert len(followed) == len(set(followed))
    rounds = 4
    assert sum(not each for each in waits) == rounds * lanes


def test_what_has_most_work_ahead_goes_first() -> None:
    plan = plan_for(Sharded("deferred", "round-robin", lanes=1))
    targets = [s.target for s in plan.steps if isinstance(s, Transfer) and s.source == "jetson"]
    seconds = {
        step.node: VIEW.estimates.seconds(step.stages, step.node)
        + 2 * VIEW.estimates.way("jetson", step.node).delay_s
        for step in plan.steps
        if isinstance(step, Compute) and step.node != "jetson"
    }
    assert seconds[targets[0]] > 2 * seconds[targets[-1]]
    assert set(targets) == {cloud.name for cloud in TOPOLOGY.clouds}
    with pytest.raises(PolicyError, match="lanes: -1 is negative"):
        Sharded("exact", lanes=-1)


@pytest.mark.parametrize("mode", ["exact", "deferred"])
def test_in_pieces_the_same_is_shown_and_returned(mode: str) -> None:
    whole, cut = (plan_for(Sharded(mode, clouds=4, piece=size)) for size in (0, 1))
    assert traffic_mb(cut) == pytest.approx(traffic_mb(whole))
    for node in {s.target for s in whole.steps if isinstance(s, Transfer)} - {"jetson"}:
        shown = [
            {w for s in plan.steps if isinstance(s, Transfer) and s.target == node
             for w in s.payload.shard}
            for plan in (whole, cut)
        ]  # fmt: skip
        assert shown[0] == shown[1]
    clouds = [s for s in cut.steps if isinstance(s, Compute) and s.node != "jetson"]
    assert all(len(stage.shard) == 1 for step in clouds for stage in step.stages)


def test_windows_that_need_each_other_are_not_cut_apart() -> None:
    with pytest.raises(PolicyError, match="piece: in mode 'landmark' windows of a shard need"):
        Sharded("landmark", piece=1)
    with pytest.raises(PolicyError, match="piece: -1 is negative"):
        Sharded("exact", piece=-1)
