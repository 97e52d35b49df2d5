"""Where workers come from: forked on this machine, or running elsewhere already."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from real_runner.control.messages import ORCHESTRATOR
from real_runner.errors import RealRunError
from real_runner.fleet.folder import RunFolder
from real_runner.fleet.nursery import Nursery, last_line
from real_runner.fleet.quotas import group_name, remove, set_quota
from real_runner.links.backend import Backend
from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials


class LocalYard:
    """Forks workers that reach each other over the loopback interface, and end with the run.

    With ``emulated`` links each lives in its namespace, and reaches the others over these alone;
    everything on the network may take ``dilation`` times as long.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        secure: bool = True,
        emulated: Backend | None = None,
        dilation: float = 1.0,
    ) -> None:
        self.credentials: Credentials | None = None
        self.reads_our_files = True
        self._emulated = emulated
        self._dilation = dilation
        self._folder = folder.path
        self._run = folder.run
        self._authority = Authority.create() if secure else None
        if self._authority is not None:
            self.credentials = self._authority.issue(ORCHESTRATOR)
        self._nursery = Nursery(folder.run, self._folder / "nursery.log", self._note_end)
        self._groups: dict[str, Path] = {}
        self._numbers: dict[str, int] = {}
        self._pids: dict[str, int] = {}
        self._statuses: dict[str, int] = {}

    async def open(self, modules: tuple[str, ...]) -> None:
        """Start the process that workers are forked from; it imports ``modules`` for all."""
        await self._nursery.start(modules)

    async def start(self, node: str) -> str:
        """Fork the node's worker; one that runs still is ended first."""
        number = self._numbers.setdefault(node, len(self._numbers))
        control = f"unix:{self._folder / f'{number}.sock'}"
        self._statuses.pop(node, None)
        host = self._emulated.address(node) if self._emulated else "127.0.0.1"
        self._pids[node] = await self._nursery.fork(
            node,
            (control, f"{host}:0"),
            self._credentials_for(node, number),
            self._log(number),
            self._emulated.namespace(node) if self._emulated else None,
            self._dilation,
        )
        return control

    def limit(self, node: str, processors: float) -> None:
        """Give the node's worker so many processors' worth of time."""
        if node in self._groups:
            remove(self._groups.pop(node))  # of the one that has died
        group = group_name(self._run, str(self._numbers[node]))
        self._groups[node] = set_quota(self._pids[node], processors, group)

    def address(self, node: str, announced: str) -> str:
        """Return where peers reach a node: as it says itself."""
        del node
        return announced

    def signal(self, node: str, number: int) -> None:
        """Send the worker's process a signal, where there is one."""
        if node in self._pids:
            with suppress(ProcessLookupError):  # it has ended, and we are still to be told
                os.kill(self._pids[node], number)

    def wake(self, node: str) -> None:
        """See that the worker's process goes on, where it was stopped."""
        self.signal(node, signal.SIGCONT)

    async def stop(self) -> None:
        """End all workers."""
        await self._nursery.stop()
        for group in self._groups.values():
            remove(group)

    def why(self, node: str) -> str:
        """Say why a worker has ended; nothing where that is not known."""
        status = self._statuses.get(node)
        if status is None:
            return ""
        if status < 0:
            return f"killed by signal {-status}"
        return f"ended with status {status}: {last_line(self._log(self._numbers[node]))}"

    def _log(self, number: int) -> Path:
        return self._folder / f"{number}.log"

    def _credentials_for(self, node: str, number: int) -> Path | None:
        if self._authority is None:
            return None
        folder = self._folder / f"{number}.tls"
        if not folder.exists():
            self._authority.issue(node).save(folder)
        return folder

    def _note_end(self, node: str, status: int) -> None:
        self._pids.pop(node, None)
        self._statuses[node] = status


class ExternalYard:
    """Workers that somebody started elsewhere; ``addresses`` says where they listen."""

    def __init__(self, addresses: Mapping[str, str], credentials: Credentials | None) -> None:
        self.credentials = credentials
        self.reads_our_files = False
        self._addresses = dict(addresses)

    @classmethod
    def of(cls, addresses: Mapping[str, str], credentials: Path | None) -> "ExternalYard":
        """Return the yard for what an inventory and a folder of credentials say."""
        return cls(addresses, Credentials.load(credentials) if credentials else None)

    def limit(self, node: str, processors: float) -> None:
        """Refuse: its process is somebody else's."""
        raise RealRunError(
            f"node {node!r}: cpu_quota: {processors:g}: an external worker is limited where it runs"
        )

    def address(self, node: str, announced: str) -> str:
        """Return where peers reach a node: the inventory knows better than the node itself."""
        del announced
        return self._addresses[node]

    async def start(self, node: str) -> str:
        """Return where the node's worker listens."""
        if node not in self._addresses:
            known = ", ".join(sorted(self._addresses)) or "none"
            raise RealRunError(f"inventory: node {node!r} has no address; there are {known}")
        return self._addresses[node]

    def signal(self, node: str, number: int) -> None:
        """Refuse: its process is somebody else's."""
        del number
        raise RealRunError(f"node {node!r} is an external worker; its process is not ours to end")

    def wake(self, node: str) -> None:
        """Do nothing: nobody here has stopped it."""

    async def stop(self) -> None:
        """Leave them running, for the next run."""

    def why(self, node: str) -> str:
        """Say nothing: its process is not seen from here."""
        del node
        return ""
