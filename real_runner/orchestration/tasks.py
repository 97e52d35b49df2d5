"""Steps of a plan as tasks for workers."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from real_runner.control.messages import control, stage_message
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.flight import Flight
from real_runner.wire.payloads import payload_message
from sim.cost import batched
from sim.plan import Compute, Plan
from sim.policy import service_s
from sim.runner import Scenario


class Clerk:
    """Writes tasks for one scenario; ``paced`` are the nodes whose device is held as modelled.

    What workers are told in seconds is theirs, on the wall.
    """

    def __init__(self, scenario: Scenario, paced: frozenset[str], clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self._paced = paced
        self._templates = lru_cache(maxsize=256)(self._write)

    def check(self, plan: Plan) -> None:
        """Raise what is wrong with a plan on this topology, before anything of it begins.

        That is `TopologyError` for a node that is not there or cannot be reached, `PlanError` for
        a computation on a node without a device.
        """
        self._templates(plan)

    def seconds(self, plan: Plan, index: int) -> float:
        """Return how long a computation is expected to hold its device."""
        return self._templates(plan)[index][1]

    def task(self, flight: Flight, index: int, awaits: Iterable[int], now_s: float) -> Any:
        """Return the task for a step; no transfer may outlast the patience with its request."""
        template, _ = self._templates(flight.plan)[index]
        task = control.Task()
        task.CopyFrom(template)
        task.id.job, task.id.attempt, task.id.step = flight.job, flight.attempt, index
        task.awaits.extend(awaits)
        if task.HasField("transfer"):
            left_s = flight.request.arrival_s + self._scenario.patience_s - now_s
            task.transfer.timeout_s = self._clock.wall_s(
                min(self._scenario.faults.timeout_s, left_s)
            )
        return task

    def _write(self, plan: Plan) -> list[tuple[Any, float]]:
        return [
            self._compute(step) if isinstance(step, Compute) else (self._transfer(step), 0.0)
            for step in plan.steps
        ]

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
