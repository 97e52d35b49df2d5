"""Computations that took longer than the profile that their node is paced to.

Pacing can make a computation slower, never quicker: where the host takes longer than the device
that it stands in for, its times are the host's, and whoever reads them must know. All times here
are those of the wall, on which a dilated run gives a host longer.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from real_runner.errors import RunRefusedError
from sim.trace import Incident

OVERRUN: Final = "overrun"
GRACE_S: Final = 1e-3
"""So much longer is no overrun: stages that copy next to nothing take a host some hundred
microseconds whatever a profile says, and no clock or scheduler of a host is finer than that."""


@dataclass(slots=True)
class _Account:
    """Of one node: what finished, what of it overran, by how much, and how many times too slow."""

    finished: int = 0
    overran: int = 0
    most_s: float = 0.0
    slowest: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.overran} of {self.finished} computations took longer than their profile, by "
            f"{self.most_s * 1e3:.1f} ms at most"
        )


class Overruns:
    """Counts, by node, computations that finished and how many of them overran their profile."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    def count(self, node: str, native_s: float, profile_s: float) -> None:
        """Count a computation that took ``native_s`` where its profile says ``profile_s``."""
        account = self._accounts[node]
        account.finished += 1
        if native_s > profile_s + GRACE_S:
            account.overran += 1
            account.most_s = max(account.most_s, native_s - profile_s)
            ratio = (native_s - GRACE_S) / profile_s if profile_s else float("inf")
            account.slowest = max(account.slowest, ratio)

    def incidents(self, at_s: float) -> Iterator[Incident]:
        """Yield an incident per node that overran its profile."""
        for node, account in self._found():
            yield Incident(at_s, node, OVERRUN, str(account))

    def refuse(self, dilation: float) -> None:
        """Raise `RunRefusedError` where a node overran, which names the one that did so most."""
        found = self._found()
        if not found:
            return
        node, worst = max(found, key=lambda each: each[1].slowest)
        others = f" ({len(found) - 1} more nodes did so, too)" if len(found) > 1 else ""
        enough = dilation * worst.slowest
        hint = f", e.g. {enough:.3g}" if enough < float("inf") else ""
        raise RunRefusedError(
            f"node {node!r}: {worst}{others}; at a dilation of {dilation:g} this machine cannot "
            f"stand in for it: give a larger --dilation{hint}"
        )

    def _found(self) -> list[tuple[str, _Account]]:
        return [(node, each) for node, each in sorted(self._accounts.items()) if each.overran]
