"""The simulator: interprets plans in simulated time.

Each step is one or two callbacks on the clock: a computation waits its turn in its device's
queue, a transfer shares the network. A plan is priced once, when it is first met, and executed
from that price list ever after.
"""

from collections.abc import Callable, Generator, Sequence
from math import isnan
from typing import Any, NamedTuple

from sim.engine.network import Flow
from sim.engine.queues import DeviceQueue, Turn
from sim.engine.world import Observer, World
from sim.errors import PlanError, PolicyError
from sim.plan import Compute, Plan
from sim.policy import UNTOUCHED, Progress, service_s
from sim.runner import Scenario
from sim.trace import FINISHED, HAS_FINISHED, WAS_CANCELLED, Outcome, Trace
from sim.walk import Walk
from workloads.stage import Request

Process = Callable[[World], Generator[Any, Any, Any]]
"""A simpy process of the user's own, given the world it runs in."""


class _Work(NamedTuple):
    device: DeviceQueue
    service_s: float


class _Haul(NamedTuple):
    route: tuple[int, ...]
    size_bytes: float
    delay_s: float


class _Execution:
    """One plan being executed for one request; the lists have one entry per step."""

    __slots__ = (
        "end_s", "handles", "plan", "priced", "progress", "queued_s", "request", "start_s",
        "states", "walk",
    )  # fmt: skip

    def __init__(
        self, request: Request, plan: Plan, priced: list[_Work | _Haul], progress: Progress
    ) -> None:
        steps = len(plan.steps)
        self.request = request
        self.plan = plan
        self.priced = priced
        self.progress = progress
        self.walk = Walk(plan)
        self.queued_s = [0.0] * steps
        self.start_s = [0.0] * steps
        self.end_s = [0.0] * steps
        self.states = bytearray(steps)
        self.handles: dict[int, Turn | Flow] = {}


class Simulator:
    """The `sim.runner.Runner` of simulated time.

    ``processes`` are simpy processes of the user's own, started before the first request.
    """

    def __init__(self, processes: Sequence[Process] = ()) -> None:
        self._processes = tuple(processes)

    def run(self, scenario: Scenario, replication: int = 0) -> Trace:
        """Simulate one replication until every request has ended; see `sim.runner.Runner`."""
        return _Run(scenario, self._processes).trace(scenario.requests(replication))


class _Run:
    def __init__(self, scenario: Scenario, processes: tuple[Process, ...]) -> None:
        self._policy = scenario.policy
        self._world = World(scenario.topology, scenario.cost)
        self._clock = self._world.clock
        self._network = self._world.network
        self._observer = Observer(self._world, scenario.view_age_s)
        self._priced: dict[Plan, list[_Work | _Haul]] = {}
        self._trace = Trace("sim", scenario.topology)
        self._open = 0
        self._ended = self._clock.event()
        for process in processes:
            self._clock.process(process(self._world))

    def trace(self, requests: tuple[Request, ...]) -> Trace:
        self._open = len(requests)
        for request in requests:
            self._observer.look_ahead(request.arrival_s)
            self._clock.at(request.arrival_s, self._arrive, request)
        self._clock.run(until=self._ended)
        trace = self._trace
        trace.busy_s = {name: device.busy_s for name, device in self._world.devices.items()}
        trace.carried_bytes = tuple(self._network.carried_bytes)
        trace.end_s = self._clock.now
        return trace

    def _arrive(self, request: Request) -> None:
        self._execute(request, UNTOUCHED)

    def _execute(self, request: Request, progress: Progress) -> None:
        plan = self._policy.plan(request, progress, self._observer.view())
        if not isinstance(plan, Plan):
            raise PolicyError(
                f"{type(self._policy).__name__}.plan returned {type(plan).__name__} for request "
                f"{request.index}; it must return a Plan"
            )
        priced = self._priced.get(plan)
        if priced is None:
            priced = self._priced[plan] = self._price(plan)
        execution = _Execution(request, plan, priced, progress)
        first = execution.walk.first()
        if not first:
            self._end_plan(execution)
        for index in first:
            self._begin(execution, index)

    def _price(self, plan: Plan) -> list[_Work | _Haul]:
        world = self._world
        priced: list[_Work | _Haul] = []
        for step in plan.steps:
            if isinstance(step, Compute):
                seconds = service_s(world.topology, world.cost, step.stages, step.node)
                priced.append(_Work(world.devices[step.node], seconds))
            else:
                route = world.topology.route(step.source, step.target)
                priced.append(_Haul(route.channels, step.size_bytes, route.delay_s))
        return priced

    def _begin(self, execution: _Execution, index: int) -> None:
        execution.queued_s[index] = self._clock.now
        price = execution.priced[index]
        argument = (execution, index)
        handle: Turn | Flow
        if isinstance(price, _Work):
            handle = price.device.submit(price.service_s, self._computed, argument)
        else:
            route, size_bytes, delay_s = price
            handle = self._network.start(route, size_bytes, delay_s, self._carried, argument)
        if execution.plan.cancels:
            execution.handles[index] = handle

    def _computed(self, argument: tuple[_Execution, int], start_s: float) -> None:
        execution, index = argument
        self._finish(execution, index, start_s)

    def _carried(self, argument: tuple[_Execution, int]) -> None:
        execution, index = argument
        self._finish(execution, index, execution.queued_s[index])

    def _finish(self, execution: _Execution, index: int, start_s: float) -> None:
        execution.start_s[index] = start_s
        execution.end_s[index] = self._clock.now
        execution.states[index] = HAS_FINISHED
        ready, needless = execution.walk.finish(index)
        for other in needless:
            self._cancel(execution, other)
        for later in ready:
            self._begin(execution, later)
        if execution.walk.open_steps == 0:
            self._end_plan(execution)

    def _cancel(self, execution: _Execution, index: int) -> None:
        """Stop a step that runs or waits; one that has not begun never will."""
        handle = execution.handles.get(index)
        if handle is None:
            return
        start_s = execution.queued_s[index]
        price = execution.priced[index]
        if isinstance(handle, Turn) and isinstance(price, _Work):
            price.device.cancel(handle)
            start_s = self._clock.now if isnan(handle.start_s) else handle.start_s
        elif isinstance(handle, Flow):
            self._network.cancel(handle)
        execution.start_s[index] = start_s
        execution.end_s[index] = self._clock.now
        execution.states[index] = WAS_CANCELLED

    def _end_plan(self, execution: _Execution) -> None:
        plan, progress, request = execution.plan, execution.progress, execution.request
        self._trace.add(
            request.index,
            progress.plans,
            plan,
            execution.queued_s,
            execution.start_s,
            execution.end_s,
            execution.states,
        )
        if plan.completes:
            self._end_request(request)
            return
        if not plan.steps:
            raise PlanError(
                f"request {request.index}: plan {progress.plans + 1} has no step and "
                "does not complete the request; it would be planned for ever"
            )
        finished = tuple(
            step
            for step, state in zip(plan.steps, execution.states, strict=True)
            if state == HAS_FINISHED
        )
        self._execute(request, Progress(progress.plans + 1, progress.finished + finished))

    def _end_request(self, request: Request) -> None:
        self._trace.outcomes.append(Outcome(request, self._clock.now, FINISHED, ""))
        self._open -= 1
        if self._open == 0:
            self._ended.succeed()
