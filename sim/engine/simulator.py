"""The simulator: interprets plans in simulated time.

Each step is one or two callbacks on the clock: a computation waits its turn in its device's
queue, a transfer shares the network. A plan is priced once, when it is first met, and executed
from that price list ever after.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from sim.engine.collection import fewer_collections
from sim.engine.execution import Execution, Haul, Work
from sim.engine.losses import Losses
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.server import RefusedError, Turn
from sim.engine.transport import Handle
from sim.engine.world import Observer, World
from sim.errors import CannotServeError, PlanError, PolicyError
from sim.plan import Compute, Plan, Step
from sim.policy import UNTOUCHED, Progress
from sim.runner import Scenario
from sim.trace import (
    FAILED,
    FINISHED,
    HAS_FINISHED,
    NEVER_BEGUN,
    REFUSED,
    WAS_CANCELLED,
    WAS_LOST,
    Outcome,
    Sink,
    Trace,
)
from topologies.topology import Topology
from workloads.stage import Request

Process = Callable[[World], Generator[Any, Any, Any]]
"""A simpy process of the user's own, given the world it runs in."""

_PRICE_LISTS = 4096


class Simulator:
    """The `sim.runner.Runner` of simulated time.

    ``processes`` are simpy processes of the user's own, started before the first request.
    """

    def __init__(self, processes: Sequence[Process] = ()) -> None:
        self._processes = tuple(processes)

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        """Simulate one replication until every request has ended; see `sim.runner.Runner`."""
        run = _Run(scenario, replication, self._processes, sink)
        with fewer_collections():
            return run.trace(scenario.requests(replication))


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        replication: int,
        processes: tuple[Process, ...],
        sink: Sink | None,
    ) -> None:
        self._policy = scenario.policy
        self._world = World(
            scenario.topology, scenario.cost, partial(scenario.generator, replication)
        )
        self._clock = self._world.clock
        self._agenda = self._clock.agenda
        self._transport = self._world.transport
        reads_load = getattr(scenario.policy, "reads_load", True)
        still = not (processes or scenario.faults or _varies(scenario.topology))
        self._observer = Observer(
            self._world, scenario.view_age_s, reads_load=reads_load, still=still
        )
        self._priced: dict[Plan, list[Work | Haul]] = {}
        self._trace = Trace("sim", scenario.topology, sink)
        self._open = 0
        self._ended = self._clock.event()
        self._most_plans = scenario.faults.plans
        self._losses: Losses | None = None
        if scenario.faults:
            rng = scenario.generator(replication, "faults")
            self._losses = Losses(self._world, scenario.faults, rng, self._lose)
        for process in processes:
            self._clock.process(process(self._world))

    def trace(self, requests: tuple[Request, ...]) -> Trace:
        self._open = len(requests)
        for request in requests:
            self._observer.look_ahead(request.arrival_s)
            self._agenda.at(request.arrival_s, self._arrive, request)
        self._clock.run(until=self._ended)
        trace = self._trace
        trace.busy_s = {name: device.busy_s for name, device in self._world.devices.items()}
        trace.off_s = self._world.off_s
        trace.carried_bytes = tuple(self._transport.carried_bytes)
        trace.end_s = self._agenda.now
        trace.hand_over()
        return trace

    def _arrive(self, request: Request) -> None:
        self._execute(request, UNTOUCHED)

    def _execute(
        self, request: Request, progress: Progress, kept: tuple[tuple[Step, float], ...] = ()
    ) -> None:
        try:
            plan = self._policy.plan(request, progress, self._observer.view())
        except CannotServeError as error:
            self._end_request(request, REFUSED, str(error))
            return
        if not isinstance(plan, Plan):
            raise PolicyError(
                f"{type(self._policy).__name__}.plan returned {type(plan).__name__} for request "
                f"{request.index}; it must return a Plan"
            )
        priced = self._priced.get(plan)
        if priced is None:
            if len(self._priced) >= _PRICE_LISTS:
                self._priced.clear()  # a policy that makes plan after plan must not fill memory
            priced = self._priced[plan] = self._price(plan)
        execution = Execution(request, plan, priced, progress, kept)
        first = execution.walk.first()
        if not first:
            self._end_plan(execution)
        for index in first:
            self._begin(execution, index)

    def _price(self, plan: Plan) -> list[Work | Haul]:
        world = self._world
        priced: list[Work | Haul] = []
        for step in plan.steps:
            if isinstance(step, Compute):
                job = world.pricer.job(step)
                device = world.devices[step.node]
                priced.append(Work(device, job, shares=not isinstance(device, Fifo)))
            else:
                priced.append(Haul(step.source, step.target, step.size_bytes, fresh=step.fresh))
        return priced

    def _begin(self, execution: Execution, index: int) -> None:
        execution.queued_s[index] = self._agenda.now
        losses = self._losses
        if losses is not None and losses.blocks(execution.plan.steps[index]):
            losses.strike(execution, index)
            return
        price = execution.priced[index]
        argument = (execution, index)
        handle: Turn | Handle
        kept = execution.cancels or losses is not None
        if isinstance(price, Work):
            kept = kept or price.shares
            try:
                handle = price.device.submit(price.job, self._computed, argument)
            except RefusedError:
                execution.start_s[index] = execution.end_s[index] = self._agenda.now
                self._agenda.at(self._agenda.now, self._refused, argument)
                return
        else:
            handle = self._transport.send(
                price.source,
                price.target,
                price.size_bytes,
                self._carried,
                argument,
                fresh=price.fresh,
            )
            if losses is not None:
                losses.moving(execution, index, handle)
        if kept:
            execution.handles[index] = handle

    def _computed(self, argument: tuple[Execution, int], start_s: float) -> None:
        execution, index = argument
        self._finish(execution, index, start_s)

    def _refused(self, argument: tuple[Execution, int]) -> None:
        execution, index = argument
        self._lose(execution, index)

    def _carried(self, argument: tuple[Execution, int]) -> None:
        execution, index = argument
        if self._losses is not None:
            self._losses.moved(execution, index)
        self._finish(execution, index, execution.queued_s[index])

    def _finish(self, execution: Execution, index: int, start_s: float) -> None:
        execution.start_s[index] = start_s
        execution.end_s[index] = self._agenda.now
        execution.states[index] = HAS_FINISHED
        ready, needless = execution.walk.finish(index)
        for other in needless:
            self._cancel(execution, other)
        for later in ready:
            self._begin(execution, later)
        if execution.walk.open_steps == 0:
            self._end_plan(execution)

    def _cancel(self, execution: Execution, index: int) -> None:
        """Stop a step that runs or waits; one that has not begun never will."""
        handle = execution.handles.get(index)
        if handle is None:
            return
        price = execution.priced[index]
        if isinstance(handle, Turn) and isinstance(price, Work):
            stopped = price.device.cancel(handle)
        else:
            assert not isinstance(handle, Turn)  # noqa: S101 - for mypy; it is one or the other
            stopped = execution.halt(index, handle, self._transport)
            if self._losses is not None:
                self._losses.moved(execution, index)
        execution.states[index] = WAS_CANCELLED
        if stopped:  # else a fault was faster, and nobody had noticed yet
            execution.start_s[index] = execution.began_s(index, self._agenda.now)
            execution.end_s[index] = self._agenda.now

    def _lose(self, execution: Execution, index: int) -> None:
        """Note that a step is lost, unless it was cancelled before anybody noticed."""
        if execution.states[index] != NEVER_BEGUN or not execution.walk.lose(index):
            return
        execution.states[index] = WAS_LOST
        if execution.walk.open_steps == 0:
            self._end_plan(execution)

    def _end_plan(self, execution: Execution) -> None:
        plan, progress, request = execution.plan, execution.progress, execution.request
        self._trace.add(
            request.index,
            progress.plans,
            plan,
            execution.queued_s,
            execution.start_s,
            execution.end_s,
            execution.states,
            execution.used() if execution.handles else {},
        )
        if plan.completes and not execution.walk.failed:
            self._end_request(request, FINISHED, "")
        elif not plan.steps:
            raise PlanError(
                f"request {request.index}: plan {progress.plans + 1} has no step and "
                "does not complete the request; it would be planned for ever"
            )
        else:
            self._plan_again(execution)

    def _plan_again(self, execution: Execution) -> None:
        progress, request = execution.progress, execution.request
        lost, kept = execution.lost(), execution.finished()
        failures = progress.failures + execution.walk.failed
        if self._losses is not None:
            kept = tuple(pair for pair in kept if self._losses.stands(*pair))
        if failures >= self._most_plans:
            self._end_request(request, FAILED, f"{failures} of its plans were lost")
            return
        finished = tuple(step for step, _ in kept)
        self._execute(request, Progress(progress.plans + 1, finished, lost, failures), kept)

    def _end_request(self, request: Request, outcome: str, reason: str) -> None:
        self._trace.end(Outcome(request, self._agenda.now, outcome, reason))
        self._open -= 1
        if self._open == 0:
            self._ended.succeed()


def _varies(topology: Topology) -> bool:
    """Whether a link's rate or delay changes by itself."""
    return any(
        link.schedule_of(back=back) is not None for link in topology.links for back in (False, True)
    )
