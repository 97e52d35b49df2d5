"""What ε clouds and coalitions of them are kept from exceeding, worked out from a plan's steps.

The terms are those of `workloads.privacy`: neighbours are images that differ in one patch, Δ is
twice the norm that embeddings are clipped to, δ is given, privacy is local.

Composition:

- *Shards* of one upload are disjoint and neighbours differ in one patch, so of patches that went
  to different clouds only one counts: a coalition's ε is the maximum over patches, not a sum.
- *Rounds*: before the first global block a payload depends on its own shard's patches alone; what
  ``mixes`` depends on all. `Loss.epsilon` counts how often noise was drawn: once per image, as
  everything later is made of the noisy tokens and so is post-processing. `Loss.sequential` needs no
  such argument: it counts every payload that depends on a patch as a release by itself. Where an
  edge were to use tokens without noise again, only this one would hold, so both are told.
- *Frames* are released one by one with noise of their own. For a patch that shows the same in all
  of them (a static scene) they compose, whichever clouds hold it.

A composition of releases is the work of `dp-accounting` (the extra ``lab``). Two traps: its
accountant for privacy loss distributions doubles the sensitivity if told of replacement, which Δ
already is, so it is told of the other relation; and it knows nothing of what depends on what.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import inf, sqrt

from experiments.extras import needs
from sim.plan import Compute, Step, Transfer
from topologies.topology import Topology
from workloads.errors import WorkloadError
from workloads.privacy import Noise, epsilon_of, reconstruction_bound
from workloads.stage import Payload, Shard

PRIVATISE = "sam.privatise"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a coalition of ``nodes`` learns of any one patch at most.

    ``releases`` are draws of noise that one patch went through, ``payloads`` what depends on one
    patch; ``epsilon`` is what the first amount to together, ``sequential`` the second. Both are
    infinite without noise. ``bound`` is `workloads.privacy.reconstruction_bound` of ``releases``.
    """

    nodes: tuple[str, ...]
    releases: int
    payloads: int
    epsilon: float
    sequential: float
    bound: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What a loss is told for: δ, how many frames of one scene, and an attack's chance."""

    delta: float = 1e-5
    frames: int = 1
    chance: float = 0.001

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise WorkloadError(f"frames: {self.frames!r}; give at least 1")


def losses(
    steps: Sequence[Step], topology: Topology, whole: Shard, terms: Terms, size: int = 1
) -> tuple[Loss, ...]:
    """Return what each coalition of ``size`` untrusted nodes that were sent anything learns.

    ``steps`` are one image's, ``whole`` are all its windows. The worst come first.
    """
    noise = noise_in(steps)
    draws = sum(1 for stage in _stages(steps) if stage == PRIVATISE)
    received = _received(steps, topology)
    found = []
    for nodes in combinations(sorted(received), min(size, len(received))):
        payloads = _per_patch([p for node in nodes for p in received[node]], whole)
        found.append(_loss(nodes, noise, draws, payloads, terms))
    return tuple(sorted(found, key=lambda loss: (-loss.sequential, -loss.payloads, loss.nodes)))


def worst_loss(
    steps: Sequence[Step], topology: Topology, whole: Shard, terms: Terms, size: int = 1
) -> Loss:
    """Return the loss of the coalition of ``size`` that learns most, or of nobody."""
    found = losses(steps, topology, whole, terms, size)
    return found[0] if found else Loss((), 0, 0, 0.0, 0.0, terms.chance)


def noise_in(steps: Iterable[Step]) -> Noise | None:
    """Return the noise that an image's embeddings got, if they got any."""
    for step in steps:
        if isinstance(step, Compute):
            for stage in step.stages:
                if stage.kind == PRIVATISE:
                    return Noise(stage.setting("clip"), stage.setting("sigma"))
    return None


@lru_cache(maxsize=1 << 10)
def composed_epsilon(noise: Noise, delta: float, releases: int) -> float:
    """Return the ε of independent releases of one patch together, by `dp-accounting`.

    Raises `RealRunError` where that is not installed.
    """
    if releases == 0:
        return 0.0
    if releases == 1:
        return epsilon_of(noise.mu, delta)
    with needs("lab"):
        import dp_accounting  # noqa: PLC0415 - an extra
        from dp_accounting import pld  # noqa: PLC0415

    event = dp_accounting.GaussianDpEvent(1 / noise.mu)
    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    accountant.compose(dp_accounting.SelfComposedDpEvent(event, releases))
    return float(accountant.get_epsilon(delta))


def _loss(
    nodes: tuple[str, ...], noise: Noise | None, draws: int, payloads: int, terms: Terms
) -> Loss:
    together = payloads * terms.frames
    releases = min(payloads, max(draws, 1)) * terms.frames
    if noise is None or not payloads:
        lost = inf if payloads else 0.0
        bound = reconstruction_bound(lost, terms.chance)
        return Loss(nodes, releases, together, lost, lost, bound)
    return Loss(
        nodes,
        releases,
        together,
        composed_epsilon(noise, terms.delta, releases),
        composed_epsilon(noise, terms.delta, together),
        reconstruction_bound(noise.mu * sqrt(releases), terms.chance),
    )


def _per_patch(payloads: Iterable[Payload], whole: Shard) -> int:
    """Return how many payloads depend on the patch that most depend on."""
    counts: Counter[int] = Counter()
    for payload in payloads:
        counts.update(whole if payload.mixes else payload.shard)
    return max(counts.values(), default=0)


def _received(steps: Iterable[Step], topology: Topology) -> Mapping[str, list[Payload]]:
    """Return what depends on the image among what each untrusted node was sent."""
    received: dict[str, list[Payload]] = {}
    for step in steps:
        if isinstance(step, Transfer) and not topology.node(step.target).trusted:
            payload = step.payload
            if payload.shard or payload.mixes:
                received.setdefault(step.target, []).append(payload)
    return received


def _stages(steps: Iterable[Step]) -> Iterator[str]:
    return (s.kind for step in steps if isinstance(step, Compute) for s in step.stages)
