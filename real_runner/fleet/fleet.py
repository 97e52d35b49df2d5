"""All workers of a topology: started, set up, introduced to each other, and ended.

Workers outlive a run, so that replications do not start them again; one that has died is started
again before the next.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from real_runner.control.messages import VERSION, control
from real_runner.control.weights import push
from real_runner.deployment import Deployment, NodeSpec
from real_runner.errors import RealRunError
from real_runner.fleet.connection import Connection, channel_to, reach
from real_runner.wire.credentials import Credentials
from topologies.topology import Topology

SETUP_TIMEOUT_S = 120.0
INTRODUCTION_TIMEOUT_S = 5.0


class Yard(Protocol):
    """Where workers come from: forked here, or already running elsewhere."""

    credentials: Credentials | None
    reads_our_files: bool

    async def start(self, node: str) -> str:
        """See that the node's worker runs and return the address of its control stream."""
        ...

    def limit(self, node: str, processors: float) -> None:
        """Give it so many processors' worth of time; `RealRunError` where that cannot be."""
        ...

    def address(self, node: str, announced: str) -> str:
        """Return where the node's peers reach it, who ``announced`` an address of its own."""
        ...

    def signal(self, node: str, number: int) -> None:
        """Send its process a signal; `RealRunError` where it is not ours."""
        ...

    def wake(self, node: str) -> None:
        """See that its process goes on, where it was stopped."""
        ...

    async def stop(self) -> None:
        """End what was started."""
        ...

    def why(self, node: str) -> str:
        """Say why a node's process has ended; nothing where that is not known (yet)."""
        ...


class Fleet:
    """The workers of one topology under one deployment.

    ``heard(node, report)`` gets every report, ``lost(node, reason)`` is told of dead workers.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a fleet consists of
        self,
        run: str,
        topology: Topology,
        deployment: Deployment,
        model: str,
        weights: Path | None,
        yard: Yard,
        heard: Callable[[str, Any], None],
        lost: Callable[[str, str], None],
        dilation: float = 1.0,
    ) -> None:
        self.nodes = tuple(node.name for node in topology.nodes if node.role != "router")
        self.ready: dict[str, Any] = {}
        self.workers: dict[str, Connection] = {}
        self._run = run
        self._topology = topology
        self._deployment = deployment
        self._model = model
        self._weights = weights
        self._yard = yard
        self._heard = heard
        self._lost = lost
        self._dilation = dilation
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start every worker that does not run and introduce all to each other."""
        missing = [node for node in self.nodes if node not in self.workers]
        await _all(self._set_up(node) for node in missing)
        if missing:
            await self._introduce()

    async def restart(self, node: str) -> None:
        """Start one worker afresh."""
        await self._set_up(node)
        await self._introduce()

    def send(self, node: str, **command: Any) -> None:
        """Command a worker; one that is gone hears nothing."""
        if node in self.workers:
            self.workers[node].send(**command)

    def ping(self) -> None:
        """Ask every worker for a sign of life."""
        for worker in self.workers.values():
            worker.ping()

    async def calm(self) -> None:
        """Undo what faults have done to workers that live: they go on, at full speed, any way."""
        for node in self.workers:
            self._yard.wake(node)
            self.send(node, speed=control.Speed(factor=1.0))
            self.send(node, gate=control.Gate())

    def signal(self, node: str, number: int) -> None:
        """Send a worker's process a signal."""
        self._yard.signal(node, number)

    async def stop(self) -> None:
        """End all."""
        workers = list(self.workers.values())
        self.workers.clear()
        await asyncio.gather(*(worker.close() for worker in workers), *self._closing)
        await self._yard.stop()

    async def _set_up(self, node: str) -> None:
        address = await self._yard.start(node)
        channel = channel_to(node, address, self._yard.credentials)
        spec = self._deployment.of(node)
        if spec.cpu_quota is not None:
            self._yard.limit(node, spec.cpu_quota)
        worker = Connection(node, channel, self._heard, self._gone)
        try:
            await reach(node, channel)
            if self._pushes(spec) and self._weights is not None:
                await push(channel, self._weights, node)
            ready = await worker.open(self._setup(node, spec), _boot_id(), SETUP_TIMEOUT_S)
        except BaseException as error:
            await worker.close()
            why = self._yard.why(node) if isinstance(error, RealRunError) else ""
            if why:
                raise RealRunError(f"node {node!r}: its worker {why}") from error
            raise
        self.ready[node] = ready
        self.workers[node] = worker

    def _pushes(self, spec: NodeSpec) -> bool:
        """Whether a node is sent its weights; one that shares no disk with us has to be."""
        wanted = self._deployment.push or not self._yard.reads_our_files
        return wanted and spec.executor == "torch"

    def _setup(self, node: str, spec: NodeSpec) -> Any:
        there = self._topology.node(node)
        device, batch, memory = there.device, there.serving.batch, there.serving.memory
        computes = spec.executor == "torch"
        reads = computes and not self._pushes(spec)
        return control.Setup(
            version=VERSION,
            run=self._run,
            node=node,
            spec=spec.model_dump_json(by_alias=True),
            model=self._model if computes else "",
            weights=str(self._weights) if reads else "",
            slots=device.slots if device else 1,
            compress=self._deployment.zstd,
            dilation=self._dilation,
            batch=batch
            and control.Batch(largest=batch.largest, wait_s=batch.wait_s * self._dilation),
            caches_bytes=memory.caches_bytes or 0 if memory else 0,
        )

    async def _introduce(self) -> None:
        """Tell every worker where the others are; one that hangs will hear of it later."""
        addresses = {
            node: self._yard.address(node, ready.address) for node, ready in self.ready.items()
        }
        for node in self.workers:
            self.send(node, peers=control.Peers(addresses=addresses))
        waiting = [asyncio.create_task(worker.obeyed()) for worker in self.workers.values()]
        _, late = await asyncio.wait(waiting, timeout=INTRODUCTION_TIMEOUT_S)
        for task in late:
            task.cancel()

    def _gone(self, node: str, reason: str) -> None:
        worker = self.workers.pop(node, None)
        if worker is not None:
            closing = asyncio.create_task(worker.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._lost(node, self._yard.why(node) or reason)


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them at the same time; where one fails none of the others goes on."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""
