"""Steps of a plan as tasks for workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from real_runner.control.messages import control, stage_message
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.flight import Flight, at_once
from real_runner.wire.payloads import payload_message
from sim.cost import batched
from sim.plan import Compute, Plan, Wait, place_of
from sim.policy import service_s
from sim.runner import Scenario


@dataclass(frozen=True, slots=True)
class _Written:
    """A plan's steps as tasks, all but for the request that they are of.

    ``alone`` is each step's, which awaits nothing; ``seconds`` what it is expected to take;
    ``first`` what each node can be told when the plan begins.
    """

    alone: Sequence[Any]
    seconds: Sequence[float]
    first: Mapping[str, Any]


class Clerk:
    """Writes tasks for one scenario; ``paced`` are the nodes whose device is held as modelled.

    What workers are told in seconds is theirs, on the wall.
    """

    def __init__(self, scenario: Scenario, paced: frozenset[str], clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self._paced = paced
        self._written = lru_cache(maxsize=256)(self._write)

    def check(self, plan: Plan) -> None:
        """Raise what is wrong with a plan on this topology, before anything of it begins.

        That is `TopologyError` for a node that is not there or cannot be reached, `PlanError` for
        a computation on a node without a device.
        """
        self._written(plan)

    def seconds(self, plan: Plan, index: int) -> float:
        """Return how long a computation is expected to hold its device."""
        return self._written(plan).seconds[index]

    def first_tasks(self, flight: Flight, now_s: float) -> dict[str, Any]:
        """Return for each node what it can be told when a plan begins: `control.Tasks`.

        Each of these steps waits by itself for what comes before it.
        """
        first = self._written(flight.plan).first
        return {node: self._copied(tasks, flight, now_s) for node, tasks in first.items()}

    def task(self, flight: Flight, index: int, now_s: float) -> Any:
        """Return `control.Tasks` of one step, which may begin now."""
        alone = self._written(flight.plan).alone[index]
        return self._copied(control.Tasks(tasks=[alone]), flight, now_s)

    def _copied(self, template: Any, flight: Flight, now_s: float) -> Any:
        """Return tasks of a request; no transfer may outlast the patience with it."""
        tasks = control.Tasks()
        tasks.CopyFrom(template)
        tasks.job, tasks.attempt = flight.job, flight.attempt
        left_s = flight.request.arrival_s + self._scenario.patience_s - now_s
        tasks.timeout_s = self._clock.wall_s(min(self._scenario.faults.timeout_s, left_s))
        return tasks

    def _write(self, plan: Plan) -> "_Written":
        alone, seconds = [], []
        for index, step in enumerate(plan.steps):
            if isinstance(step, Compute):
                task, expected_s = self._compute(step)
            elif isinstance(step, Wait):  # which is the orchestrator's own
                task, expected_s = control.Task(), 0.0
            else:
                task, expected_s = self._transfer(step), 0.0
            task.step = index
            alone.append(task)
            seconds.append(expected_s)
        return _Written(alone, seconds, _first(plan, alone))

    def _compute(self, step: Compute) -> tuple[Any, float]:
        scenario = self._scenario
        expected_s = service_s(scenario.topology, scenario.cost, step.stages, step.node)
        compute = control.Compute(stages=map(stage_message, step.stages))
        if step.node in self._paced:
            compute.hold_s = self._clock.wall_s(expected_s)
            compute.together_s.extend(map(self._clock.wall_s, self._together_s(step)))
        return control.Task(compute=compute), expected_s

    def _together_s(self, step: Compute) -> list[float]:
        """Return how long two such steps take at once, three, and so on, where batches are made."""
        node, cost = self._scenario.topology.node(step.node), self._scenario.cost
        batch = node.serving.batch
        if batch is None or node.device is None:
            return []
        return [
            sum(cost.seconds(batched(stage, count), node.device) for stage in step.stages)
            for count in range(2, batch.largest + 1)
        ]

    def _transfer(self, step: Any) -> Any:
        self._scenario.topology.route(step.source, step.target)
        transfer = control.Transfer(
            target=step.target,
            payload=payload_message(step.payload),
            codec=step.codec,
            fresh=step.fresh,
        )
        return control.Task(transfer=transfer)


def _first(plan: Plan, alone: Sequence[Any]) -> dict[str, Any]:
    first: dict[str, Any] = {}
    for index in at_once(plan):
        step = plan.steps[index]
        task = first.setdefault(place_of(step), control.Tasks()).tasks.add()
        task.CopyFrom(alone[index])
        task.awaits.extend(step.after)
    return first
