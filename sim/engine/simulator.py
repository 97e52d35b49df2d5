"""The simulator: interprets plans in simulated time.

Each step is one or two callbacks on the clock: a computation waits its turn in its device's
queue, a transfer shares the network. A plan is priced once, when it is first met, and executed
from that price list ever after.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from math import inf
from typing import Any

from sim.checks import Checks
from sim.course import Ended, Kept, planned, settled
from sim.endings import Endings
from sim.engine.arrivals import Arrivals
from sim.engine.collection import fewer_collections
from sim.engine.execution import Execution, Pause, Work
from sim.engine.losses import Losses
from sim.engine.prices import PriceLists
from sim.engine.servers.server import RefusedError, Turn
from sim.engine.transport import Handle
from sim.engine.world import Observer, World
from sim.errors import CannotServeError
from sim.plan import Compute, Step
from sim.policy import UNTOUCHED, Progress
from sim.runner import Scenario
from sim.source import Source
from sim.trace import (
    FAILED,
    HAS_FINISHED,
    NEVER_BEGUN,
    REFUSED,
    WAS_CANCELLED,
    WAS_LOST,
    Incident,
    Outcome,
    Sink,
    Trace,
)
from topologies.topology import Topology
from workloads.stage import Request

Process = Callable[[World], Generator[Any, Any, Any]]
"""A simpy process of the user's own, given the world it runs in."""


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
            return run.trace()


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
        self._bounds_caches = self._world.caches.bounded
        self._clock = self._world.clock
        self._agenda = self._clock.agenda
        self._transport = self._world.transport
        reads_load = getattr(scenario.policy, "reads_load", True)
        still = not (processes or scenario.faults or _varies(scenario.topology))
        self._endings = Endings(scenario.policy)
        observer = Observer(
            self._world, scenario.view_age_s, self._endings, reads_load=reads_load, still=still
        )
        self._observer = observer
        self._prices = PriceLists(self._world)
        self._trace = Trace("sim", scenario.topology, sink)
        # Kept, since making a bound method costs as much as a call.
        self._on_computed, self._on_carried = self._computed, self._carried
        self._patience_s = scenario.patience_s
        self._gives_up = scenario.patience_s < inf
        self._keeps_handles = bool(scenario.faults) or self._gives_up
        self._patience: dict[int, int] = {}  # by request: the clock's ticket for its end
        self._impatient: dict[int, Execution] = {}  # by request: what would be stopped then
        self._most_plans = scenario.faults.plans
        self._losses: Losses | None = None
        if scenario.faults:
            rng = scenario.generator(replication, "faults")
            self._losses = Losses(
                self._world, scenario.faults, rng, self._lose, self._trace.incidents
            )
        for process in processes:
            self._clock.process(process(self._world))
        self._checks = Checks(scenario, replication)
        source = Source(scenario, replication)
        self._arrivals = Arrivals(self._clock, observer, source, self._arrive)

    def trace(self) -> Trace:
        self._clock.run(until=self._arrivals.over)
        trace = self._trace
        trace.busy_s = {name: device.busy_s for name, device in self._world.devices.items()}
        trace.off_s = self._world.off_s
        trace.carried_bytes = tuple(self._transport.carried_bytes)
        trace.end_s = self._agenda.now
        trace.hand_over()
        return trace

    def _arrive(self, request: Request) -> None:
        if self._gives_up:
            end_s = request.arrival_s + self._patience_s
            self._patience[request.index] = self._agenda.at(end_s, self._give_up, request)
        self._execute(request, UNTOUCHED)

    def _execute(self, request: Request, progress: Progress, kept: Kept = ()) -> None:
        try:
            plan = planned(self._policy, request, progress, self._observer.view())
        except CannotServeError as error:
            self._end_request(request, REFUSED, str(error))
            return
        self._endings.planned(request, plan)
        execution = Execution(request, plan, self._prices.of(plan), progress, kept)
        if self._gives_up:
            self._impatient[request.index] = execution
        first = execution.walk.first()
        if not first:
            self._end_plan(execution)
        for index in first:
            self._begin(execution, index)

    def _begin(self, execution: Execution, index: int) -> None:
        execution.queued_s[index] = self._agenda.now
        losses = self._losses
        if losses is not None and losses.blocks(execution.plan.steps[index]):
            losses.strike(execution, index)
            return
        price = execution.priced[index]
        argument = (execution, index)
        if isinstance(price, Pause):
            end_s = self._agenda.now + price.delay_s
            execution.pauses[index] = self._agenda.at(end_s, self._waited, argument)
            return
        handle: Turn | Handle
        kept = execution.cancels or self._keeps_handles
        if isinstance(price, Work):
            kept = kept or price.shares
            if self._bounds_caches and self._evicted(execution, index):
                self._refuse(argument)
                return
            try:
                handle = price.device.submit(price.job, self._on_computed, argument)
            except RefusedError:
                self._refuse(argument)
                return
        else:
            handle = self._transport.send(
                price.source,
                price.target,
                price.size_bytes,
                self._on_carried,
                argument,
                coded=price.coded,
                fresh=price.fresh,
            )
            if losses is not None:
                losses.moving(execution, index, handle)
        if kept:
            execution.handles[index] = handle

    def _waited(self, argument: tuple[Execution, int]) -> None:
        execution, index = argument
        del execution.pauses[index]
        self._finish(execution, index, execution.queued_s[index])

    def _computed(self, argument: tuple[Execution, int], start_s: float) -> None:
        execution, index = argument
        price = execution.priced[index]
        if isinstance(price, Work) and price.most_tokens > 1:
            execution.note_made(index, self._checks.kept(execution.request, price.most_tokens))
        self._finish(execution, index, start_s)

    def _evicted(self, execution: Execution, index: int) -> bool:
        """Make room for what a computation caches; say whether what it needs of that is gone."""
        step = execution.plan.steps[index]
        assert isinstance(step, Compute)  # noqa: S101 - for mypy
        why = self._world.caches.take(step.node, execution.request.index, step.stages)
        if why:
            self._trace.incidents.append(Incident(self._agenda.now, step.node, "lost-step", why))
        return bool(why)

    def _refuse(self, argument: tuple[Execution, int]) -> None:
        execution, index = argument
        execution.start_s[index] = execution.end_s[index] = self._agenda.now
        self._agenda.at(self._agenda.now, self._refused, argument)

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
        if index in execution.pauses:
            self._agenda.cancel(execution.pauses.pop(index))
            execution.states[index] = WAS_CANCELLED
            execution.start_s[index] = execution.queued_s[index]
            execution.end_s[index] = self._agenda.now
            return
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
        if execution.over or execution.states[index] != NEVER_BEGUN:
            return
        if not execution.walk.lose(index):
            return
        execution.states[index] = WAS_LOST
        if execution.walk.open_steps == 0:
            self._end_plan(execution)

    def _give_up(self, request: Request) -> None:
        """Stop what runs for a request that has waited for too long."""
        del self._patience[request.index]
        execution = self._impatient.pop(request.index)
        execution.over = True
        for index in range(len(execution.states)):
            if execution.states[index] == NEVER_BEGUN:
                self._cancel(execution, index)
        self._record(execution)
        self._end_request(request, FAILED, f"not answered within {self._patience_s:g} s")

    def _record(self, execution: Execution) -> None:
        self._trace.add(
            execution.request.index,
            execution.progress.plans,
            execution.plan,
            execution.queued_s,
            execution.start_s,
            execution.end_s,
            execution.states,
            execution.used() if execution.handles else {},
            execution.made,
        )

    def _end_plan(self, execution: Execution) -> None:
        self._record(execution)
        request = execution.request
        then = settled(execution, self._most_plans, self._stands)
        if isinstance(then, Ended):
            self._end_request(request, then.outcome, then.reason)
        else:
            self._execute(request, then.progress, then.kept)

    def _stands(self, step: Step, end_s: float) -> bool:
        return self._losses is None or self._losses.stands(step, end_s)

    def _end_request(self, request: Request, outcome: str, reason: str) -> None:
        ending = Outcome(request, self._agenda.now, outcome, reason)
        self._trace.end(ending)
        self._endings.ended(ending)
        self._checks.forget(request)
        if self._bounds_caches:
            self._world.caches.forget(request.index)
        if request.index in self._patience:
            self._agenda.cancel(self._patience.pop(request.index))
            self._impatient.pop(request.index, None)
        self._arrivals.ended(request)


def _varies(topology: Topology) -> bool:
    """Whether a link's rate or delay changes by itself."""
    return any(
        link.schedule_of(back=back) is not None for link in topology.links for back in (False, True)
    )
