"""Steps of plans under way: handed out, heard of, cancelled, lost.

Reports come late, and from several workers not in the order in which things happened; nodes die.
Here that is put in order, so that a walk sees every step end once, after those it waited for.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from real_runner.control.messages import control
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.flight import Flight, at_once
from real_runner.orchestration.observer import Observer
from real_runner.orchestration.overruns import Overruns
from real_runner.orchestration.tasks import Clerk
from real_runner.orchestration.writing import Writing
from sim.plan import Compute, Step, Transfer, Wait, end_of, place_of
from sim.trace import HAS_FINISHED, NEVER_BEGUN, WAS_CANCELLED, WAS_LOST
from topologies.topology import Topology

OnFlight = Callable[[Flight], None]


class Steps:
    """Sees plans through, step by step.

    ``ended`` is told when every step of a plan has ended, ``silent`` when nothing more is to be
    heard of a plan that is over. ``guard`` runs what is called later, and takes its errors. What
    the nodes ``computing`` take longer than their profiles say is counted in ``overruns``, and
    where it is for a request that counts, one from ``counted_from`` on, in ``telling_overruns``.
    ``writing`` is told what computations make of answers. ``sent_bytes`` are those of transfers
    that have arrived, by channel of the ``topology``.
    """

    def __init__(  # noqa: PLR0913 - what seeing them through takes
        self,
        fleet: Fleet,
        clerk: Clerk,
        observer: Observer,
        clock: Clock,
        topology: Topology,
        *,
        ended: OnFlight,
        silent: OnFlight,
        guard: Callable[..., None],
        writing: Writing,
        computing: frozenset[str] = frozenset(),
        counted_from: int = 0,
    ) -> None:
        self.dead: set[str] = set()
        self._fleet = fleet
        self._clerk = clerk
        self._observer = observer
        self._clock = clock
        self._ended = ended
        self._silent = silent
        self._guard = guard
        self._writing = writing
        self._computing = computing
        self._counted_from = counted_from
        self._topology = topology
        self.sent_bytes = [0.0] * len(topology.channels)
        self.overruns, self.telling_overruns = Overruns(), Overruns()

    def begin(self, flight: Flight, index: int) -> None:
        """Let a step begin that the walk has found ready."""
        step = flight.plan.steps[index]
        flight.queued_s[index] = flight.start_s[index] = self._clock.now_s
        flight.begun.add(index)
        self._observer.load(step, self._clerk.seconds(flight.plan, index))
        if not self.dead.isdisjoint((place_of(step), end_of(step))):
            loop = asyncio.get_running_loop()
            loop.call_soon(self._guard, self._lose, flight, index)
        elif isinstance(step, Wait):
            end_s = self._clock.now_s + step.delay_s
            timer = self._clock.call_at(end_s, self._guard, self._waited, flight, index)
            flight.timers[index] = timer
        elif index not in flight.told:
            self._tell(flight, index)

    def tell_first(self, flight: Flight, inputs: Mapping[str, list[Any]]) -> None:
        """Hand out the steps of a plan that begins, and what the request brings along."""
        flight.told.update(at_once(flight.plan))
        messages = self._clerk.first_tasks(flight, self._clock.now_s)
        for node, brought in inputs.items():
            message = messages.setdefault(node, control.Tasks())
            message.inputs.extend(brought)
        for node in sorted(messages, key=lambda node: node not in inputs):  # where it all begins
            self._fleet.send(node, tasks=messages[node])

    def _waited(self, flight: Flight, index: int) -> None:
        """Note that a wait is over."""
        del flight.timers[index]
        began_s = flight.queued_s[index]
        self._finish(flight, index, began_s, began_s, self._clock.now_s)

    def _tell(self, flight: Flight, index: int) -> None:
        """Hand out a step that may begin now."""
        flight.told.add(index)
        message = self._clerk.task(flight, index, self._clock.now_s)
        self._fleet.send(place_of(flight.plan.steps[index]), tasks=message)

    def withdraw(self, flight: Flight, index: int) -> None:
        """Have a step stopped, or never begun."""
        place = place_of(flight.plan.steps[index])
        step = control.StepId(job=flight.job, attempt=flight.attempt, step=index)
        self._fleet.send(place, cancel=control.Cancel(id=step))

    def cancel(self, flight: Flight, index: int) -> None:
        """Stop a step that nobody needs any more; one that has not begun never will."""
        if index in flight.timers:
            flight.timers.pop(index).cancel()
            flight.states[index], flight.end_s[index] = WAS_CANCELLED, self._clock.now_s
        if index not in flight.told:
            return
        if index in flight.begun:
            flight.states[index] = WAS_CANCELLED
            self._unload(flight, index)
        flight.end_s[index] = self._clock.now_s
        if place_of(flight.plan.steps[index]) not in self.dead:
            flight.pending.add(index)  # until it is known where it stood
        self.withdraw(flight, index)

    def owing(self, flight: Flight, since_s: float) -> list[Step]:
        """Return the steps whose end should have been heard of before ``since_s``.

        That is a transfer, which its sender gives up in time, and what was to be stopped. How
        long a computation takes on real hardware nobody knows.
        """
        steps = flight.plan.steps
        overdue = [
            index
            for index in sorted(flight.begun)
            if flight.states[index] == NEVER_BEGUN
            and isinstance(steps[index], Transfer)
            and flight.queued_s[index] < since_s
        ]
        overdue += [index for index in sorted(flight.pending) if flight.end_s[index] < since_s]
        return [steps[index] for index in overdue]

    def strike(self, flight: Flight, node: str) -> None:
        """Undo what a dead node had to do with a plan."""
        for index in sorted(flight.told):
            step = flight.plan.steps[index]
            if node not in (place_of(step), end_of(step)):
                continue
            if index in flight.pending:
                self._resolve(flight, index)
            elif index in flight.begun and flight.states[index] == NEVER_BEGUN:
                self.withdraw(flight, index)
                self._guard(self._lose, flight, index)

    def has_finished(self, flight: Flight, node: str, message: Any) -> None:
        """Take the report that a step has finished."""
        index = message.id.step
        step = flight.plan.steps[index]
        if flight.walk.is_doomed(index):
            return
        queued_s = self.seconds(message.source, message.queued_ns)
        start_s = self.seconds(message.source, message.start_ns)
        end_s = self.seconds(node, message.end_ns)
        if isinstance(step, Transfer):
            flight.used[index] = float(message.size_bytes)
            self._writing.carried(flight, index, message.size_bytes)
            self._observer.carried(step, start_s, end_s, message.size_bytes)
            for channel in self._topology.route(step.source, step.target).channels:
                self.sent_bytes[channel] += message.size_bytes
        else:
            self._writing.computed(flight, index, message)
            if 0 < message.share < 1:
                flight.used[index] = message.share * (end_s - start_s)
        if isinstance(step, Compute) and step.node in self._computing:
            wanted_s = self._clock.wall_s(self._clerk.seconds(flight.plan, index))
            self.overruns.count(step.node, message.native_s, wanted_s)
            if flight.request.index >= self._counted_from:
                self.telling_overruns.count(step.node, message.native_s, wanted_s)
        if index in flight.pending:
            if flight.states[index] == NEVER_BEGUN:  # cancelled, but it was quicker
                flight.states[index] = WAS_CANCELLED
            self._resolve(flight, index, queued_s, start_s, end_s)
        elif flight.states[index] == NEVER_BEGUN and not flight.over:
            self._finish(flight, index, queued_s, start_s, end_s)

    def was_stopped(self, flight: Flight, node: str, message: Any, *, lost: bool) -> None:
        """Take the report that a step was cancelled or has come to nothing."""
        index = message.id.step
        end_s = self.seconds(node, message.end_ns)
        queued_s = self.seconds(node, message.queued_ns) if message.queued_ns else end_s
        start_s = self.seconds(node, message.start_ns) if message.start_ns else end_s
        if index in flight.pending:
            if not message.queued_ns:  # it had not begun
                self._resolve(flight, index)
                return
            if flight.states[index] == NEVER_BEGUN:
                flight.states[index] = WAS_CANCELLED
            self._assume_sent(flight, index, started=bool(message.start_ns))
            self._resolve(flight, index, queued_s, start_s, end_s)
        elif lost and flight.states[index] == NEVER_BEGUN and not flight.walk.is_doomed(index):
            self._infer(flight, index, queued_s)
            self._lose(flight, index, queued_s, start_s, end_s)

    def _finish(
        self, flight: Flight, index: int, queued_s: float, start_s: float, end_s: float
    ) -> None:
        self._infer(flight, index, queued_s)
        flight.queued_s[index], flight.start_s[index] = queued_s, start_s
        flight.end_s[index] = end_s
        flight.states[index] = HAS_FINISHED
        self._unload(flight, index)
        ready, needless = flight.walk.finish(index)
        for other in needless:
            self.cancel(flight, other)
        for later in ready:
            self.begin(flight, later)
        if flight.walk.open_steps == 0:
            self._ended(flight)

    def _infer(self, flight: Flight, index: int, queued_s: float) -> None:
        """Note that what a step awaited has finished, though its report is still on its way."""
        step = flight.plan.steps[index]
        if flight.plan.needs[index] < len(step.after):
            return
        for early in step.after:
            if flight.states[early] == NEVER_BEGUN:
                flight.pending.add(early)
                self._finish(flight, early, queued_s, queued_s, queued_s)

    def _lose(self, flight: Flight, index: int, *times_s: float) -> None:
        """Note that a step is lost, which ``times_s`` tell more of than that it is so now."""
        if flight.states[index] != NEVER_BEGUN or flight.over or not flight.walk.lose(index):
            return
        flight.states[index] = WAS_LOST
        flight.end_s[index] = self._clock.now_s
        if times_s:
            flight.queued_s[index], flight.start_s[index], flight.end_s[index] = times_s
        self._unload(flight, index)
        self._assume_sent(flight, index, started=True)
        if flight.walk.open_steps == 0:
            self._ended(flight)

    def _resolve(self, flight: Flight, index: int, *times_s: float) -> None:
        """Take late news of a step."""
        flight.pending.discard(index)
        if times_s:
            flight.queued_s[index], flight.start_s[index], flight.end_s[index] = times_s
        if flight.over and not flight.pending:
            self._silent(flight)

    def _unload(self, flight: Flight, index: int) -> None:
        if index in flight.begun:
            expected_s = self._clerk.seconds(flight.plan, index)
            self._observer.load(flight.plan.steps[index], expected_s, -1)

    @staticmethod
    def _assume_sent(flight: Flight, index: int, *, started: bool) -> None:
        """Count a transfer that was stopped under way as sent: its target may have seen it all."""
        step = flight.plan.steps[index]
        if started and isinstance(step, Transfer):
            flight.used[index] = step.size_bytes

    def seconds(self, node: str, ns: int) -> float:
        """Return a moment on a worker's clock in seconds since the start of the run."""
        worker = self._fleet.workers.get(node)
        return self._clock.seconds(ns, worker.offset_ns if worker else 0)
