"""Faults in simulated time: what they do to the world, and which steps they take with them."""

from collections.abc import Callable, Iterator

import numpy as np
from simpy.events import ProcessGenerator

from sim.engine.execution import Execution
from sim.engine.transport import Handle
from sim.engine.world import World
from sim.faults import Fault, FaultPlan
from sim.plan import Compute, Step

Key = tuple[Execution, int]


class Losses:
    """Applies ``faults`` to ``world`` and calls ``lose(execution, step)`` when a loss is noticed.

    A computation is lost with its node, a transfer with either of its ends, or when it takes
    longer than the faults' time-out.
    """

    def __init__(
        self,
        world: World,
        faults: FaultPlan,
        rng: np.random.Generator,
        lose: Callable[[Execution, int], None],
    ) -> None:
        self._world = world
        self._faults = faults
        self._lose = lose
        self._crashed_at_s: dict[str, float] = {}
        self._crashed: set[str] = set()
        self._moving: dict[str, dict[Key, Handle]] = {
            node.name: {} for node in world.topology.nodes
        }
        world.clock.process(self._run(faults.events(rng)))

    def blocks(self, step: Step) -> bool:
        """Whether ``step`` cannot begin, since a node it needs has crashed."""
        return any(node in self._crashed for node in _nodes(step))

    def stands(self, step: Step, end_s: float) -> bool:
        """Whether the result that ``step`` left at ``end_s`` is still where it was."""
        return self._crashed_at_s.get(_nodes(step)[-1], -1.0) < end_s

    def strike(self, execution: Execution, index: int) -> None:
        """End a step here and now; it will be noticed after the time that detection takes."""
        now_s = self._world.clock.now
        execution.start_s[index] = execution.began_s(index, now_s)
        execution.end_s[index] = now_s
        self._world.clock.at(now_s + self._faults.detection_s, self._notice, (execution, index))

    def moving(self, execution: Execution, index: int, flow: Handle) -> None:
        """Keep an eye on a transfer that has begun."""
        for node in _nodes(execution.plan.steps[index]):
            self._moving[node][execution, index] = flow
        clock = self._world.clock
        clock.at(clock.now + self._faults.timeout_s, self._give_up, (execution, index))

    def moved(self, execution: Execution, index: int) -> None:
        """Forget a transfer that has ended."""
        for node in _nodes(execution.plan.steps[index]):
            self._moving[node].pop((execution, index), None)

    def _run(self, events: Iterator[Fault]) -> ProcessGenerator:
        clock = self._world.clock
        for fault in events:
            if fault.at_s > clock.now:
                yield clock.timeout(fault.at_s - clock.now)
            self._apply(fault)

    def _apply(self, fault: Fault) -> None:
        world, target = self._world, fault.target
        if fault.kind == "crash":
            self._crash(target)
        elif fault.kind == "recover":
            self._crashed.discard(target)
            world.recover(target)
        elif fault.kind in ("leave", "join"):
            world.set_member(target, member=fault.kind == "join")
        elif fault.kind == "slow":
            world.set_speed(target, fault.factor)
        else:
            factors = {"outage": 0.0, "degrade": fault.factor, "restore": 1.0}
            world.set_link_factor(target, factors[fault.kind])

    def _crash(self, node: str) -> None:
        if node in self._crashed:
            return
        self._crashed.add(node)
        self._crashed_at_s[node] = self._world.clock.now
        lost: list[Key] = list(self._world.fail(node))
        for key, flow in list(self._moving[node].items()):
            execution, index = key
            execution.halt(index, flow, self._world.transport)
            self.moved(execution, index)
            lost.append(key)
        for execution, index in lost:
            self.strike(execution, index)

    def _give_up(self, key: Key) -> None:
        execution, index = key
        flow = self._moving[_nodes(execution.plan.steps[index])[0]].get(key)
        if flow is not None:
            execution.halt(index, flow, self._world.transport)
            self.moved(execution, index)
            execution.start_s[index] = execution.queued_s[index]
            execution.end_s[index] = self._world.clock.now
            self._lose(execution, index)

    def _notice(self, key: Key) -> None:
        self._lose(*key)


def _nodes(step: Step) -> tuple[str, ...]:
    """Return the nodes that a step needs, last the one that its result lies on."""
    return (step.node,) if isinstance(step, Compute) else (step.source, step.target)
