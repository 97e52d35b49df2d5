"""A run over emulated links says what they were: measured before it, and looked at after it.

Before it every kind of link is measured alone (`real_runner.links.measuring`). After it: how late
packets were, and whether any were lost where none should be. What is outside its tolerance refuses
the run. Tolerances in seconds are of the topology's time: where everything lasts k times as long on
the wall, so may they.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from real_runner.errors import RunRefusedError
from real_runner.links.backend import Report

What = Literal["round trip", "message", "goodput", "loss"]

LATE_P99_S: Final = 1e-3
"""In seconds of the topology's."""


@dataclass(frozen=True, slots=True)
class Check:
    """One figure of one direction of a link; it holds from ``least`` to ``most``, in ``unit``."""

    channel: str
    what: What
    unit: str
    expected: float
    measured: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is within its tolerance."""
        return self.least <= self.measured <= self.most

    def __str__(self) -> str:
        return (
            f"link {self.channel}: {self.what} {self.measured:.6g} {self.unit}".rstrip()
            + f", expected {self.expected:.6g} (from {self.least:.6g} to {self.most:.6g})"
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the links of a run were.

    ``alike`` names, for each link that was measured, those that are like it. ``realtime`` is
    whether what releases packets went before ordinary processes, ``losses`` whether a seed said
    which packets were lost. The rest is of the run itself, once it is over: ``report`` is what the
    links did in it, ``device_drops`` are packets that were lost before they had reached a link,
    ``sent`` has the channels' names, in order, each with the bytes that arrived over it. All times
    are on the wall, where everything lasts ``dilation`` times as long as in the topology.
    """

    backend: str
    kernel: str
    realtime: bool
    congestion: dict[str, int]
    offloads: str
    losses: str
    checks: tuple[Check, ...]
    alike: dict[str, tuple[str, ...]]
    report: Report | None = None
    device_drops: int = 0
    dilation: float = 1.0
    sent: tuple[tuple[str, float], ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What refuses the run, a line each; nothing where all is as it should be."""
        found = [str(check) for check in self.checks if not check.holds]
        if self.report is not None:
            found += _problems(self.report, self.device_drops, self.dilation)
            found += _bypassed(self.report, self.sent)
        return tuple(found)

    def require(self) -> None:
        """Raise `RunRefusedError` where the run is to be refused."""
        if self.problems:
            raise RunRefusedError(
                f"{self.backend} links: refused by their certificate: {'; '.join(self.problems)}; "
                "run on a machine that is less busy, with fewer or slower links, or with a larger "
                "--dilation"
            )

    def document(self) -> dict[str, Any]:
        """Return it as plain data, for a manifest."""
        return {**asdict(self), "problems": list(self.problems)}


def _problems(report: Report, drops: int, dilation: float) -> Iterator[str]:
    most_s = LATE_P99_S * dilation
    if report.late_p99_s is not None and report.late_p99_s > most_s:
        yield (
            f"packets were late by {report.late_p99_s * 1e3:.3g} ms (p99), more than "
            f"{most_s * 1e3:g} ms"
        )
    if report.refused_packets:
        yield f"{report.refused_packets} packets were not taken by their node's kernel"
    if drops:
        yield f"{drops} packets were lost before they had reached a link"


def _bypassed(report: Report, sent: tuple[tuple[str, float], ...]) -> Iterator[str]:
    """Say over which channels not even the bytes of messages went, let alone their headers."""
    for (name, sent_bytes), counted in zip(sent, report.channels, strict=False):
        if counted.carried_bytes < sent_bytes:
            yield (
                f"link {name}: carried {counted.carried_bytes} bytes, though {sent_bytes:.0f} "
                "arrived over it: some took another way"
            )
