"""The `sim.runner.Runner` of wall-clock time: workers do what plans say, over real connections."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from real_runner.deployment import Deployment
from real_runner.errors import RealRunError
from real_runner.fleet.fleet import Fleet, Yard
from real_runner.fleet.folder import RunFolder
from real_runner.fleet.yards import ExternalYard, LocalYard
from real_runner.links.certificate import Certificate
from real_runner.links.certified import CertifiedLinks
from real_runner.links.kinds import Emulated
from real_runner.models import FAMILIES, Family, family_of, model_text
from real_runner.orchestration.answers import Answered, Computed, Listeners, Previewed, Written
from real_runner.orchestration.dilation import check_dilation, refuse_native
from real_runner.orchestration.faults import Faults, refuse_what_cannot_be
from real_runner.orchestration.inputs import inputs_for
from real_runner.orchestration.prompts import Asking
from real_runner.orchestration.run import Run
from real_runner.orchestration.serving import refuse_what_no_worker_does
from real_runner.orchestration.watching import watch, watch_links
from real_runner.wakefulness import kept_awake
from sim.runner import Scenario
from sim.trace import Sink, Trace
from topologies.dilation import slowed
from topologies.topology import Topology
from workloads.stage import Model

_ALWAYS = ("real_runner.workers.service",)


class RealRunner:
    """Runs scenarios for real; use it in a ``with`` statement, since its workers outlive a run.

    ``deployment`` says how the nodes are made real. ``external`` are workers that run elsewhere;
    without them they are forked here and reach each other over ``links``: unshaped loopback
    connections, or links of our own, which are as the topology says and certified to be.
    ``secure`` has every connection authenticated and encrypted. ``asking`` tells what a request to
    a model that generates asks; prompts are drawn by seed without it. ``answered`` is given every
    finished request with its answer, as the bytes of the model's last payload; ``written`` tokens
    of answers as they come, ``previewed`` pictures that plans have made of an answer on the way,
    ``computed`` every stage that is done.

    With a ``dilation`` of k everything lasts k times as long on the wall: links are k times slower
    and longer, paced devices k times slower, and every time that is told is divided by k. So a
    small machine can stand in for a large world; what it could not do in time even so refuses the
    run.

    Raises `RealRunError` where a node cannot be made real, `ScenarioError` where the scenario
    asks for what these links and workers cannot do, and `RunRefusedError` where emulated links were
    not what they should be.
    """

    def __init__(  # noqa: PLR0913 - who and what takes part in a run
        self,
        deployment: Deployment,
        *,
        external: ExternalYard | None = None,
        links: Literal["loopback"] | Emulated = "loopback",
        secure: bool = True,
        asking: Asking | None = None,
        answered: Answered | None = None,
        written: Written | None = None,
        previewed: Previewed | None = None,
        computed: Computed | None = None,
        dilation: float = 1.0,
    ) -> None:
        check_dilation(dilation, links if external is None else "external")
        self.dilation = dilation
        self._deployment = deployment
        self._links = links
        self._external = external
        self._secure = secure
        self._asking = asking
        self._listeners = Listeners(answered, previewed, written, computed)
        self._loop = asyncio.Runner()
        self._house: _House | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and leave nothing behind."""
        try:
            if self._house is not None:
                self._loop.run(self._house.close())
        finally:
            self._house = None
            self._loop.close()

    @property
    def versions(self) -> dict[str, dict[str, str]]:
        """What the figures of each node depend on; empty before the first run."""
        ready = self._house.fleet.ready if self._house else {}
        return {node: dict(each.versions) for node, each in sorted(ready.items())}

    @property
    def is_awake(self) -> bool:
        """Whether this machine's processors are kept from sleeping, since the first run."""
        return self._house is not None and self._house.awake

    @property
    def certificate(self) -> Certificate | None:
        """What emulated links were in the last run; nothing for other links."""
        links = self._house.links if self._house else None
        return links.certificate if links else None

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        """Run one replication until every request has ended; see `sim.runner.Runner`."""
        self._refuse(scenario)
        return self._loop.run(self._run(scenario, replication, sink))

    def _refuse(self, scenario: Scenario) -> None:
        """Raise for what a scenario asks that cannot be had for real."""
        known = {node.name for node in scenario.topology.nodes}
        for node in self._deployment.nodes:
            if node not in known:
                scenario.topology.node(node)  # names the nearest one there is
        for each in scenario.topology.nodes:
            refuse_what_no_worker_does(each)
        links = "external" if self._external else self._links
        refuse_what_cannot_be(scenario.faults, scenario.topology, links)
        if self.dilation != 1:
            paced = self._paced(scenario.topology, "torch", "synthetic")
            refuse_native(scenario.topology, paced)

    async def _run(self, scenario: Scenario, replication: int, sink: Sink | None) -> Trace:
        house = await self._housed(scenario)
        await house.fleet.start()
        inputs = inputs_for(scenario, self._deployment, replication, self._asking)
        inputs.hand_out(house.fleet, house.fleet.nodes)
        house.runs += 1
        run = Run(
            scenario,
            replication,
            house.runs,
            sink,
            house.fleet,
            self._paced(scenario.topology, "torch", "synthetic"),
            inputs,
            self._listeners,
            self._paced(scenario.topology, "torch"),
            self._paced(scenario.topology, "synthetic"),
            dilation=self.dilation,
        )
        house.run = run
        links = house.links
        tasks = [asyncio.create_task(watch(run, house.fleet, scenario.faults.silence_s))]
        try:
            await run.warm_up()
            if links:
                tasks.append(asyncio.create_task(watch_links(run, links)))
                await links.begin(int(scenario.generator(replication, "links").integers(2**63)))
            if scenario.faults:  # nothing is awaited from here on until the clock has restarted
                emulated = links.emulation if links else None
                faults = Faults(scenario, replication, house.fleet, run, emulated)
                tasks.append(asyncio.create_task(faults.follow()))
            trace = await run.trace()
            if links:
                await links.complete(run.sent_bytes)
            return trace
        finally:
            house.run = None
            run.abandon()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if links:
                links.rest()
            await house.fleet.calm()

    def _paced(self, topology: Topology, *executors: str) -> frozenset[str]:
        """Return the nodes so executed whose devices are held as long as their profiles say."""
        specs = {node.name: self._deployment.of(node.name) for node in topology.nodes}
        return frozenset(
            name
            for name, spec in specs.items()
            if spec.executor in executors
            and (spec.pace == "profile" or spec.executor == "synthetic")
        )

    async def _housed(self, scenario: Scenario) -> "_House":
        """Return the workers for a scenario: those that are there, where they still fit."""
        model = scenario.workload.model
        if self._house is not None and not self._house.fits(scenario.topology, model):
            await self._house.close()
            self._house = None
        if self._house is None:
            house = _House(scenario.topology, model, self._deployment, self.dilation)
            try:
                await house.open(self._external, self._links, secure=self._secure)
            except BaseException:
                await house.close()
                raise
            self._house = house
        return self._house


def _served(model: Model) -> Model:
    """Return what workers are made for where a model is asked for; any, where none computes."""
    return next((f.served(model) for f in FAMILIES if isinstance(model, f.kind)), model)


class _House:
    """Workers for one topology and model, and the folder they live in."""

    def __init__(
        self, topology: Topology, model: Model, deployment: Deployment, dilation: float
    ) -> None:
        self.run: Run | None = None
        self.runs = 0
        self.awake = False
        self.fleet: Fleet
        self.links: CertifiedLinks | None = None
        self._topology = topology
        self._model = _served(model)
        self._deployment = deployment
        self._dilation = dilation
        self._stack = AsyncExitStack()

    def fits(self, topology: Topology, model: Model) -> bool:
        """Whether these workers can run such a scenario."""
        is_connected = self.links is None or self.links.emulation.alive
        return is_connected and topology == self._topology and _served(model) == self._model

    async def open(
        self, external: ExternalYard | None, links: Literal["loopback"] | Emulated, *, secure: bool
    ) -> None:
        """Start everything."""
        folder = self._stack.enter_context(RunFolder())
        self.awake = self._stack.enter_context(kept_awake())
        computing = any(
            self._deployment.of(node.name).executor == "torch"
            for node in self._topology.nodes
            if node.role != "router"
        )
        if links != "loopback" and external is None:
            there = slowed(self._topology, self._dilation)
            self.links = CertifiedLinks(links, folder.run, folder.path, there, self._dilation)
            self._stack.push_async_callback(self.links.stop)
            await self.links.open()
        emulated = self.links.emulation if self.links else None
        yard: Yard = external or LocalYard(
            folder, secure=secure, emulated=emulated, dilation=self._dilation
        )
        family = family_of(self._model) if computing else None
        text = model_text(self._model) if family else ""
        weights = self._weights(family, folder) if family else None
        self.fleet = Fleet(
            folder.run, self._topology, self._deployment, text, weights, yard,
            self._heard, self._lost, self._dilation,
        )  # fmt: skip
        self._stack.push_async_callback(self.fleet.stop)
        if isinstance(yard, LocalYard):
            await yard.open((*_ALWAYS, *(family.modules if family else ())))
        await self.fleet.start()

    async def close(self) -> None:
        """End everything."""
        await self._stack.aclose()

    def _weights(self, family: Family, folder: RunFolder) -> Path:
        """Return the weights as the file that workers read, or that is pushed to them."""
        target = folder.path / "weights.safetensors"
        deployment = self._deployment
        found = family.prepare(self._model, deployment.weights, deployment.weights_seed, target)
        if deployment.push and found.is_dir():
            raise RealRunError(
                f"real.push: the weights {found} are a folder; give one .safetensors file, or let "
                "workers read the folder themselves"
            )
        return found

    def _heard(self, node: str, report: Any) -> None:
        if self.run is not None:
            self.run.heard(node, report)

    def _lost(self, node: str, reason: str) -> None:
        if self.run is not None:
            self.run.died(node, "ended", reason)
