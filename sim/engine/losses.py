"""Faults in simulated time: what they do to the world, and which steps they take with them."""

from collections.abc import Callable, Iterator

import numpy as np
from simpy.events import ProcessGenerator

from sim.engine.execution import Execution
from sim.engine.transport import Handle
from sim.engine.world import World
from sim.faults import Fault, FaultPlan
from sim.plan import Step, Transfer
from sim.trace import Incident

Key = tuple[Execution, int]


class Losses:
    """Applies ``faults`` to ``world`` and calls ``lose(execution, step)`` when a loss is noticed.

    A computation is lost with its node, a transfer with either of its ends, or when it takes
    longer than the faults' time-out. A node that hangs stalls both, until it resumes or, silent for
    too long, is taken for dead. Each fault that strikes is noted in ``incidents``.
    """

    def __init__(
        self,
        world: World,
        faults: FaultPlan,
        rng: np.random.Generator,
        lose: Callable[[Execution, int], None],
        incidents: list[Incident],
    ) -> None:
        self._world = world
        self._faults = faults
        self._lose = lose
        self._incidents = incidents
        self._crashed_at_s: dict[str, float] = {}
        self._crashed: set[str] = set()
        self._hanging: dict[str, int] = {}  # with the clock's ticket for when it is given up
        self._given_up: set[str] = set()
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
        nodes = _nodes(execution.plan.steps[index])
        for node in nodes:
            self._moving[node][execution, index] = flow
        if self._hanging and any(node in self._hanging for node in nodes):
            self._world.transport.stall(flow)
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
        self._incidents.append(Incident(world.clock.now, target, fault.kind, fault.detail))
        if fault.kind == "crash":
            self._given_up.discard(target)
            self._crash(target)
        elif fault.kind == "recover":
            self._recover(target)
        elif fault.kind == "hang":
            self._hang(target)
        elif fault.kind == "resume":
            self._resume(target)
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
        if node in self._hanging:
            self._world.clock.cancel(self._hanging.pop(node))
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

    def _recover(self, node: str) -> None:
        self._crashed.discard(node)
        self._given_up.discard(node)
        self._world.recover(node)

    def _hang(self, node: str) -> None:
        if node in self._crashed or node in self._hanging:
            return
        clock = self._world.clock
        given_up_s = clock.now + self._faults.silence_s
        self._hanging[node] = clock.at(given_up_s, self._take_for_dead, node)
        self._world.hang(node)
        for flow in self._moving[node].values():
            self._world.transport.stall(flow)

    def _resume(self, node: str) -> None:
        """Let a node go on, or, given up, come back empty; one that crashed stays down."""
        if node in self._given_up:
            self._recover(node)
        elif node in self._hanging:
            self._world.clock.cancel(self._hanging.pop(node))
            self._world.resume(node)
            for (execution, index), flow in list(self._moving[node].items()):
                ends = _nodes(execution.plan.steps[index])
                if not any(end in self._hanging for end in ends):
                    self._world.transport.release(flow)

    def _take_for_dead(self, node: str) -> None:
        now_s, silent_s = self._world.clock.now, self._faults.silence_s
        self._incidents.append(Incident(now_s, node, "given-up", f"silent for {silent_s:g} s"))
        del self._hanging[node]
        self._given_up.add(node)
        self._crash(node)

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
    return (step.source, step.target) if isinstance(step, Transfer) else (step.node,)
