"""What sharded policies do against curious clouds: bounds on what is shown, and noise."""

from typing import Final

from sim.errors import PolicyError
from sim.plan import Transfer
from sim.policies.task import NO_LIMITS, Limits, Task
from sim.policy import Progress
from topologies.topology import Topology
from workloads.errors import WorkloadError
from workloads.privacy import noise_for
from workloads.sam.geometry import Window
from workloads.sam.modes import WITHHOLDING
from workloads.sam.withholding import Withheld
from workloads.stage import Shard

KEEPING: Final = ("privacy-constrained", "least-makespan")
"""The assignments that keep what clouds see within bounds."""

_DELTA, _CLIP = 1e-5, 1.0


def require_limits(limits: Limits, assignment: str) -> None:
    """Raise `PolicyError` for bounds that are none, or that the assignment does not keep."""
    for field in ("cap", "coalition_cap"):
        fraction = getattr(limits, field)
        if not 0 < fraction <= 1:
            raise PolicyError(f"{field}: {fraction!r}; give a fraction above 0, at most 1")
    if limits.coalition < 1:
        raise PolicyError(f"coalition: {limits.coalition}; give a number of clouds, at least 1")
    if not limits.most_usd > 0:
        raise PolicyError(f"most_usd: {limits.most_usd!r}; give a positive sum, in dollars")
    if limits != NO_LIMITS and assignment not in KEEPING:
        raise PolicyError(
            f"cap, coalition, coalition_cap: assignment {assignment!r} does not keep them; "
            f"use assignment={' or '.join(KEEPING)}"
        )
    if limits[3:] != NO_LIMITS[3:] and assignment != KEEPING[-1]:
        raise PolicyError(
            f"by_provider, apart, most_usd: assignment {assignment!r} does not take them; "
            f"use assignment={KEEPING[-1]}"
        )


def require_noise(epsilon: float, delta: float, clip: float, upload: str) -> None:
    """Raise `PolicyError` for noise that cannot be added, or parameters of noise without any."""
    if epsilon == 0:
        if (delta, clip) != (_DELTA, _CLIP):
            raise PolicyError("delta, clip: have no meaning without noise; give epsilon, too")
        return
    if upload != "embeddings":
        raise PolicyError(
            f"epsilon: noise is added to patch embeddings, but upload is {upload!r}; "
            "use upload=embeddings"
        )
    try:
        noise_for(epsilon, delta, clip)
    except WorkloadError as error:
        raise PolicyError(str(error)) from None


def withheld_of(withhold: int, trend: int, mode: str, upload: str) -> Withheld:
    """Return what is withheld; `PolicyError` for what cannot be."""
    try:
        found = Withheld(withhold, trend)
    except WorkloadError as error:
        raise PolicyError(str(error)) from None
    if found and (mode not in WITHHOLDING or upload != "pixels"):
        raise PolicyError(
            f"withhold: has no meaning in mode {mode!r} with upload={upload}; use "
            f"{' or '.join(WITHHOLDING)} with upload=pixels"
        )
    return found


def shown_before(
    whole: tuple[Window, ...], progress: Progress, topology: Topology
) -> dict[str, frozenset[Window]]:
    """Return which windows untrusted nodes were sent of an interrupted request, as far as is known.

    What was lost counts, too: it may have arrived. What was lost in plans before the last one is
    not told any more.
    """
    shown: dict[str, set[Window]] = {}
    for step in (*progress.finished, *progress.lost):
        if not isinstance(step, Transfer) or topology.node(step.target).trusted:
            continue
        if step.payload.shard and not step.payload.summary:
            seen = (whole[index] for index in step.payload.shard)
            shown.setdefault(step.target, set()).update(seen)
    return {node: frozenset(seen) for node, seen in shown.items()}


def shown_with(task: Task, shards: tuple[Shard, ...]) -> dict[str, frozenset[Window]]:
    """Return which windows nodes were shown once they have the shards, too."""
    known = {window.index: window for window in task.windows}
    shown = dict(task.shown)
    for node, shard in zip(task.nodes, shards, strict=True):
        if shard:
            shown[node] = shown.get(node, frozenset()) | {known[index] for index in shard}
    return shown
