"""The simulator's fault schedule, for real: processes are killed and stopped, ways are closed."""

import signal
from collections.abc import Iterator

from real_runner.control.messages import control
from real_runner.fleet.fleet import Fleet
from real_runner.links.backend import Backend
from real_runner.orchestration.run import Run
from sim.errors import ScenarioError
from sim.faults import Fault, FaultPlan, RandomFaults
from sim.runner import Scenario
from topologies.topology import Topology


class Faults:
    """Applies a scenario's faults to a run; `follow` is to be cancelled when the run ends."""

    def __init__(
        self,
        scenario: Scenario,
        replication: int,
        fleet: Fleet,
        run: Run,
        emulated: Backend | None = None,
    ) -> None:
        self._emulated = emulated
        self._topology = scenario.topology
        self._events = scenario.faults.events(scenario.generator(replication, "faults"))
        self._fleet = fleet
        self._run = run
        self._out: set[str] = set()

    async def follow(self) -> None:
        """Apply each fault at its moment, until there are no more."""
        try:
            for fault in self._events:
                await self._run.clock.sleep_until(fault.at_s)
                self._run.note(fault.target, fault.kind, fault.detail)
                await self._apply(fault)
        except Exception as error:  # noqa: BLE001 - it ends the run, with its reason
            self._run.fail(error)

    async def _apply(self, fault: Fault) -> None:  # noqa: C901 - one line per kind
        node = fault.target
        match fault.kind:
            case "crash":
                self._run.expect_end(node)
                self._fleet.signal(node, signal.SIGKILL)
                self._set_silent(node, silent=True)
            case "recover":
                await self._recover(node)
            case "hang":
                self._fleet.signal(node, signal.SIGSTOP)
            case "resume":
                self._fleet.signal(node, signal.SIGCONT)
            case "leave":
                self._run.set_member(node, member=False)
            case "join":
                self._run.set_member(node, member=True)
            case "slow":
                self._fleet.send(node, speed=control.Speed(factor=fault.factor))
            case "outage":
                self._out.add(fault.target)
                self._change(fault.target, 0.0)
            case "restore":
                self._out.discard(fault.target)
                self._change(fault.target, 1.0)
            case "degrade":
                self._out.discard(fault.target)
                self._change(fault.target, fault.factor)

    async def _recover(self, node: str) -> None:
        if node not in self._fleet.workers:
            self._set_silent(node, silent=False)
            await self._fleet.restart(node)
            self._run.restarted(node)

    def _set_silent(self, node: str, *, silent: bool) -> None:
        """Let nothing more come from a crashed node: its kernel would send what sockets hold."""
        if self._emulated is not None:
            self._emulated.set_silent(node, silent=silent)

    def _change(self, link: str, factor: float) -> None:
        """Let a link run at so many times its rate, and tell the policies what is out."""
        if self._emulated is not None:
            self._emulated.set_factor(link, factor)
        self._close_gates()

    def _close_gates(self) -> None:
        """Tell the policies what is out, and workers whom they cannot reach for lack of a link."""
        topology = self._topology
        out = frozenset(
            channel.index
            for channel in topology.channels
            if topology.links[channel.index // 2].name in self._out
        )
        self._run.observer.set_out(out)
        if self._emulated is not None:
            return
        for source in self._fleet.nodes:
            closed = [
                target
                for target in self._fleet.nodes
                if target != source and not out.isdisjoint(_channels(topology, source, target))
            ]
            self._fleet.send(source, gate=control.Gate(closed=closed))


def _channels(topology: Topology, source: str, target: str) -> frozenset[int]:
    return frozenset(topology.route(source, target).channels)


def refuse_what_cannot_be(faults: FaultPlan, topology: Topology, links: str) -> None:
    """Raise `ScenarioError` for faults that these links or workers cannot suffer."""
    for target, kind in _kinds(faults):
        if kind == "degrade" and links in ("loopback", "external"):
            raise ScenarioError(
                f"faults: {kind} of {target!r}: links of kind {links!r} have no rate that could be "
                "degraded; leave it out, or simulate it"
            )
        if kind in _OF_PROCESSES and links == "external":
            raise ScenarioError(
                f"faults: {kind} of {target!r}: an external worker, whose process is not ours "
                "to end; use --links loopback, or let it 'leave' and 'join'"
            )
        if kind in _OF_NODES and topology.node(target).role == "router":
            raise ScenarioError(
                f"faults: {kind} of {target!r}: a router has no worker that it could happen to"
            )


_OF_PROCESSES = ("crash", "recover", "hang", "resume")
_OF_NODES = ("crash", "recover", "hang", "resume", "slow", "leave", "join")


def _kinds(faults: FaultPlan) -> Iterator[tuple[str, str]]:
    both: tuple[Fault | RandomFaults, ...] = (*faults.schedule, *faults.random)
    for fault in both:
        yield fault.target, fault.kind
