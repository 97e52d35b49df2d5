"""Exposure: what each untrusted node got to see, derived from what was sent to it.

A node *sees* a part of the input directly when it received that part's pixels, or tokens that
come from that part alone: a patch embedding can be inverted by least squares, and windowed
attention stays inside the window. It received a *mixture* when a payload encodes parts of the
input other than those it was sent for: every token after a global block does, and so do averages
over other parts. Routers forward ciphertext and see nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from sim.plan import Compute, Step, Transfer
from topologies.topology import Topology


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
        if isinstance(step, Compute) or topology.node(step.target).trusted:
            continue
        seen[step.target] = seen.get(step.target, Sight()).with_transfer(step)
    return seen


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
