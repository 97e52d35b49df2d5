"""What clouds and coalitions learn, against dp-accounting and against what plans send."""

from dataclasses import replace
from math import inf, sqrt

import pytest

from experiments.laboratory.privacy_accounting import (
    Loss,
    Terms,
    composed_epsilon,
    losses,
    noise_in,
    worst_loss,
)
from sim.cost import Roofline
from sim.plan import Compute, Step
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED, Estimates, View
from topologies.shipped import load
from workloads.catalogue import model_named
from workloads.errors import WorkloadError
from workloads.privacy import epsilon_of, noise_for, reconstruction_bound
from workloads.stage import Request

TOPOLOGY = load("jetson-16-clouds")
MODEL = model_named("sam-vit-b")
TERMS = Terms()


def steps_of(policy: Sharded) -> tuple[Step, ...]:
    rates = tuple(channel.rate_bits_per_s for channel in TOPOLOGY.channels)
    backlog_s = {node.name: 0.0 for node in TOPOLOGY.nodes if node.device}
    view = View(0.0, 0.0, Estimates(TOPOLOGY, Roofline(), rates), backlog_s, (0,) * len(rates))
    return policy.plan(Request(0, 0.0, "jetson", MODEL), UNTOUCHED, view).steps


def noisy(mode: str, epsilon: float = 4.0) -> tuple[Step, ...]:
    return steps_of(Sharded(mode, "round-robin", upload="embeddings", epsilon=epsilon))


def worst(steps: tuple[Step, ...], size: int = 1, terms: Terms = TERMS) -> Loss:
    return worst_loss(steps, TOPOLOGY, MODEL.whole, terms, size)


@pytest.mark.parametrize("size", [1, 3, 16])
@pytest.mark.parametrize("mode", ["prefix", "deferred", "local-attention"])
def test_disjoint_shards_lose_the_maximum_not_the_sum(mode, size) -> None:
    loss = worst(noisy(mode), size)
    assert len(loss.nodes) == size
    assert (loss.releases, loss.payloads) == (1, 1)
    assert loss.epsilon == loss.sequential == pytest.approx(4.0, rel=1e-9)


def test_after_a_global_block_every_payload_counts_unless_noise_was_drawn_once() -> None:
    pytest.importorskip("dp_accounting", reason="pip install 'tessera[lab]'")
    steps = noisy("exact")
    alone, together = worst(steps), worst(steps, 2)
    assert (alone.releases, alone.payloads) == (1, 4)
    assert together.payloads == 1 + 2 * 3, "its own shard's tokens, and thrice both nodes' mixtures"
    assert alone.epsilon == together.epsilon == pytest.approx(4.0, rel=1e-9)
    assert 4.0 < alone.sequential < together.sequential


def test_frames_compose_as_dp_accounting_says() -> None:
    pytest.importorskip("dp_accounting", reason="pip install 'tessera[lab]'")
    noise = noise_for(1.0, 1e-5, 1.0)
    loss = worst(noisy("prefix", 1.0), terms=replace(TERMS, frames=60))
    assert loss.releases == 60
    assert loss.epsilon == composed_epsilon(noise, 1e-5, 60)
    assert loss.epsilon == pytest.approx(epsilon_of(noise.mu * sqrt(60), 1e-5), rel=1e-4)
    assert loss.epsilon < 60 * 1.0, "less than the plain sum"
    assert loss.bound == pytest.approx(reconstruction_bound(noise.mu * sqrt(60), 0.001))


def test_the_bound_grows_with_epsilon_and_is_chance_without_a_view() -> None:
    bounds = [worst(noisy("prefix", epsilon)).bound for epsilon in (0.1, 1.0, 8.0)]
    assert 0.001 < bounds[0] < bounds[1] < bounds[2] < 1
    assert worst(()).bound == pytest.approx(0.001)


def test_without_noise_nothing_is_promised() -> None:
    loss = worst(steps_of(Sharded("prefix", "round-robin")))
    assert loss.epsilon == loss.sequential == inf
    assert loss.bound == 1.0


def test_each_cloud_that_was_sent_something_is_told_of() -> None:
    found = losses(noisy("deferred"), TOPOLOGY, MODEL.whole, TERMS)
    assert len({loss.nodes for loss in found}) == len(found) == 16


def test_the_noise_is_that_of_the_plan() -> None:
    steps = noisy("prefix")
    assert noise_in(steps) == noise_for(4.0, 1e-5, 1.0)
    assert noise_in([step for step in steps if not isinstance(step, Compute)]) is None


def test_no_frames_are_no_release() -> None:
    with pytest.raises(WorkloadError, match="frames: 0; give at least 1"):
        Terms(frames=0)
