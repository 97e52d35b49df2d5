"""Exposure: what each untrusted node got to see, derived from what was sent to it.

A node *sees* a part of the input directly when it received that part's pixels, or tokens that
come from that part alone: a patch embedding can be inverted by least squares, and windowed
attention stays inside the window. It received a *mixture* when a payload encodes parts of the
input other than those it was sent for: every token after a global block does, and so do averages
over other parts. Routers forward ciphertext and see nothing.

Which tensors a node *holds* is told besides (`holdings`): what it received, and what it computed
itself where its stages say what they make. So a cloud that steps a scheduler holds the last latent
though it never sends it, and one that runs a whole language model holds every token.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from sim.plan import Compute, Step, Transfer, end_of
from topologies.topology import Topology
from workloads.stage import Payload


@dataclass(frozen=True, slots=True)
class Sight:
    """What one node received of one request: parts of the input, tensors, mixtures."""

    parts: frozenset[int] = frozenset()
    tensors: frozenset[str] = frozenset()
    mixes: bool = False

    def with_transfer(self, transfer: Transfer) -> "Sight":
        """Return what the node has seen once ``transfer`` has arrived as well."""
        payload = transfer.payload
        shown = frozenset() if payload.summary else frozenset(payload.shard)
        return Sight(
            self.parts | shown,
            self.tensors | {payload.tensor},
            self.mixes or payload.mixes or payload.summary,
        )


def sights(steps: Iterable[Step], topology: Topology) -> dict[str, Sight]:
    """Return what each untrusted node saw when ``steps`` were executed, by node name."""
    seen: dict[str, Sight] = {}
    for step in steps:
        if not isinstance(step, Transfer) or topology.node(step.target).trusted:
            continue
        seen[step.target] = seen.get(step.target, Sight()).with_transfer(step)
    return seen


@dataclass(frozen=True, slots=True)
class Held:
    """What one node held of one tensor of one request.

    ``least_depth`` and ``most_depth`` are the fewest and the most blocks it had passed (steps of
    denoising, for latents), ``tokens`` how many of it in all.
    """

    least_depth: int
    most_depth: int
    tokens: int

    def with_payload(self, payload: Payload) -> "Held":
        """Return what is held once there is ``payload`` as well."""
        depth = payload.blocks_done
        return Held(
            min(self.least_depth, depth), max(self.most_depth, depth), self.tokens + payload.tokens
        )


def holdings(steps: Iterable[Step], topology: Topology) -> dict[tuple[str, str], Held]:
    """Return what each untrusted node held when ``steps`` were executed, by node and tensor."""
    found: dict[tuple[str, str], Held] = {}
    for step in steps:
        node = end_of(step)
        if topology.node(node).trusted:
            continue
        for payload in _left_behind(step):
            key, depth = (node, payload.tensor), payload.blocks_done
            found[key] = found.get(key, Held(depth, depth, 0)).with_payload(payload)
    return found


def _left_behind(step: Step) -> tuple[Payload, ...]:
    if isinstance(step, Compute):
        return tuple(stage.makes for stage in step.stages if stage.makes is not None)
    return (step.payload,) if isinstance(step, Transfer) else ()


def fraction(parts: Iterable[int], fractions: Sequence[float]) -> float:
    """Return the fraction of the input that ``parts`` show together."""
    return min(1.0, sum(fractions[part] for part in parts))


def worst_coalition(seen: Iterable[Sight], fractions: Sequence[float], size: int) -> float:
    """Return the largest fraction of the input that any ``size`` nodes saw together."""
    nodes = [sight.parts for sight in seen]
    coalitions = combinations(nodes, min(size, len(nodes)))
    return max(
        (fraction(frozenset().union(*coalition), fractions) for coalition in coalitions),
        default=0.0,
    )
