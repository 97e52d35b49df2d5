"""Computations that took longer than the profile that their node is paced to.

Pacing can make a computation slower, never quicker: where the host takes longer than the device
that it stands in for, its times are the host's, and whoever reads them must know.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sim.trace import Incident

OVERRUN: Final = "overrun"
GRACE_S: Final = 1e-3
"""So much longer is no overrun: stages that copy next to nothing take a host some hundred
microseconds whatever a profile says, and no clock or scheduler of a host is finer than that."""


class Overruns:
    """Counts, by node, computations that finished and how many of them overran their profile."""

    def __init__(self) -> None:
        self._finished: dict[str, int] = defaultdict(int)
        self._over_s: dict[str, list[float]] = defaultdict(list)

    def count(self, node: str, native_s: float, profile_s: float) -> None:
        """Count a computation that took ``native_s`` where its profile says ``profile_s``."""
        self._finished[node] += 1
        if native_s > profile_s + GRACE_S:
            self._over_s[node].append(native_s - profile_s)

    def incidents(self, at_s: float) -> Iterator[Incident]:
        """Yield an incident per node that overran its profile."""
        for node, over_s in sorted(self._over_s.items()):
            yield Incident(
                at_s,
                node,
                OVERRUN,
                f"{len(over_s)} of {self._finished[node]} computations took longer than their "
                f"profile, by {max(over_s) * 1e3:.1f} ms at most",
            )
