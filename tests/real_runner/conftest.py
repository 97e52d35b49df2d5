"""Scenarios that run for real on this machine, in little time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("grpc", reason="pip install 'tessera[real]'")

from real_runner.deployment import Deployment, NodeSpec
from sim.policies.sharded import Sharded
from sim.policy import Policy
from sim.runner import Scenario
from topologies.shipped import load
from workloads.arrivals import Closed
from workloads.images import Image
from workloads.sam.model import Sam
from workloads.sam.variants import VARIANTS, Variant
from workloads.stage import ChainLink
from workloads.workload import Workload

PICTURE = Image(120, 90, "png")
TINY = Variant("tiny", 48, 4, 3, (1, 3), window_tokens=4, image_px=256)
"""16 windows, a few milliseconds for all of them."""

EXACT = Deployment(default=NodeSpec(dtype="fp64"))


@dataclass(frozen=True)
class Encoder(Sam):
    """A SAM that is asked for its embedding instead of masks."""

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        return Sam.chain.fget(self)[:-1]  # type: ignore[attr-defined]


MakeReal = Callable[..., Scenario]


def in_turn(policy: Policy, requests: int = 1, clients: int = 1, **changes: Any) -> Scenario:
    """Return a scenario whose clients ask again as soon as they are answered."""
    topology = load(changes.pop("topology", "orin-nano-4-clouds"))
    model = changes.pop("model", Sam(TINY, PICTURE, precision="fp32"))
    edge = next(node.name for node in topology.nodes if node.role == "edge")
    values = {
        "name": "real",
        "topology": topology,
        "workload": Workload(model, Closed(clients), requests),
        "policy": policy,
        "policy_name": "test",
        "origins": (edge,),
        "deadline_s": 1.0,
    }
    return Scenario(**(values | changes))


@pytest.fixture
def make_real() -> MakeReal:
    return in_turn


def sharded(mode: str, scheme: str = "round-robin", **options: Any) -> Sharded:
    """Return a policy that loses nothing on the wire."""
    return Sharded(mode, scheme, **{"codec": "fp64", **options})


def answers_of(make: Callable[..., Any], scenarios: Iterable[Scenario]) -> list[dict[int, bytes]]:
    """Run scenarios with one runner, and return the answers by request of each."""
    found: list[dict[int, bytes]] = []

    def keep(request: Any, answer: bytes) -> None:
        assert request.index not in found[-1]
        found[-1][request.index] = answer

    with make(answered=keep) as runner:
        for scenario in scenarios:
            found.append({})
            runner.run(scenario)
    return found


__all__ = ["EXACT", "PICTURE", "TINY", "VARIANTS", "Encoder", "answers_of", "in_turn", "sharded"]
