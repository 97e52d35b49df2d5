"""Emulated links that are measured before they are used, and judged after every run."""

import asyncio
from dataclasses import replace
from pathlib import Path

from real_runner.links.certificate import Certificate, device_drops, measure
from real_runner.links.emulation import Emulation
from topologies.topology import Topology


class CertifiedLinks:
    """The emulated links of workers that outlive a run; ``folder`` is theirs.

    Between runs links are as the topology says at rest: no schedule, no fault.
    """

    def __init__(self, run: str, folder: Path, topology: Topology) -> None:
        self.emulation = Emulation(run, folder, topology)
        self.certificate: Certificate
        """Of the last run, or of the links alone before the first."""
        self._drops = 0

    async def open(self) -> None:
        """Start and measure the links.

        Raises `RealRunError` where this machine cannot emulate them, and `RunRefusedError` where
        they are not what the topology says.
        """
        await self.emulation.start()
        self.certificate = await asyncio.to_thread(measure, self.emulation)
        self.certificate.require()

    async def begin(self, seed: int) -> None:
        """Begin a run now; what is lost in it depends on ``seed``."""
        self._drops = await asyncio.to_thread(device_drops, self.emulation)
        self.emulation.begin(seed)

    async def complete(self) -> None:
        """Judge the run that is over; `RunRefusedError` where its links did not do their part."""
        drops = await asyncio.to_thread(device_drops, self.emulation)
        report = await self.emulation.report()
        self.certificate = replace(
            self.certificate, report=report, device_drops=drops - self._drops
        )
        self.certificate.require()

    def rest(self) -> None:
        """Undo what schedules and faults have done."""
        self.emulation.rest()

    async def stop(self) -> None:
        """End the links."""
        await self.emulation.stop()
