"""Emulated links that are measured before they are used, and judged after every run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from real_runner.errors import RealRunError
from real_runner.links.certificate import Certificate
from real_runner.links.kinds import Emulated, emulated_links
from real_runner.links.measuring import device_drops, measure
from real_runner.links.network import PATIENCE_OF_TCP_S, Network
from topologies.topology import Topology


class CertifiedLinks:
    """The emulated links of workers that outlive a run; ``folder`` is theirs.

    ``topology`` is as it is emulated, ``dilation`` times as slow as the one that it stands for.
    Between runs links are as the topology says at rest: no schedule, no fault.
    """

    def __init__(
        self, kind: Emulated, run: str, folder: Path, topology: Topology, dilation: float
    ) -> None:
        self.emulation = emulated_links(kind, run, folder, topology)
        self._dilation = dilation
        self.certificate: Certificate
        """Of the last run, or of the links alone before the first."""
        self._drops = 0

    async def open(self) -> None:
        """Start and measure the links.

        Raises `RealRunError` where this machine cannot emulate them, or TCP not use them, and
        `RunRefusedError` where they are not what the topology says.
        """
        _require_patience(self.emulation.network, self._dilation)
        await self.emulation.start()
        self.certificate = await asyncio.to_thread(measure, self.emulation, self._dilation)
        self.certificate.require()

    async def begin(self, seed: int) -> None:
        """Begin a run now; what is lost in it depends on ``seed``."""
        self._drops = await asyncio.to_thread(device_drops, self.emulation)
        self.emulation.begin(seed)

    async def complete(self, sent_bytes: Sequence[float]) -> None:
        """Judge the run that is over; `RunRefusedError` where its links did not do their part.

        ``sent_bytes`` are those that arrived over each channel of the topology.
        """
        drops = await asyncio.to_thread(device_drops, self.emulation)
        report = await self.emulation.report()
        names = (channel.name for channel in self.emulation.network.topology.channels)
        self.certificate = replace(
            self.certificate,
            report=report,
            device_drops=drops - self._drops,
            sent=tuple(zip(names, sent_bytes, strict=True)),
        )
        self.certificate.require()

    def rest(self) -> None:
        """Undo what schedules and faults have done."""
        self.emulation.rest()

    async def stop(self) -> None:
        """End the links."""
        await self.emulation.stop()


def _require_patience(network: Network, dilation: float) -> None:
    round_trip_s, one, other = network.longest_round_trip()
    if round_trip_s >= PATIENCE_OF_TCP_S:
        most = dilation * PATIENCE_OF_TCP_S / round_trip_s
        raise RealRunError(
            f"topology {network.topology.name!r}: a round trip from {one!r} to {other!r} takes "
            f"{round_trip_s:.0f} s, and TCP waits no longer than {PATIENCE_OF_TCP_S:.0f} s; give a "
            f"--dilation below {most:.0f}, or leave that node out"
        )
