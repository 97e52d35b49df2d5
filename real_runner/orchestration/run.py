"""One replication in real time: requests arrive, are planned, and end.

What a plan means, when a request has ended and when it is planned again is decided where the
simulator has it decided, too: `sim.walk`, `sim.course`. What becomes of single steps is for
`real_runner.orchestration.steps`.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from real_runner.control.messages import ORCHESTRATOR, control
from real_runner.errors import RealRunError
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.answers import Answers, Listeners
from real_runner.orchestration.books import Books
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.flight import Flight
from real_runner.orchestration.inputs import Inputs
from real_runner.orchestration.observer import Observer
from real_runner.orchestration.probes import Probes
from real_runner.orchestration.steps import Steps
from real_runner.orchestration.tasks import Clerk
from real_runner.orchestration.tickets import Tickets
from real_runner.orchestration.writing import Writing
from real_runner.workers.worker import PROBE
from sim.checks import Checks
from sim.course import Ended, Kept, planned, settled
from sim.errors import CannotServeError
from sim.plan import Step, Transfer, end_of, place_of
from sim.policy import UNTOUCHED, Progress
from sim.runner import AUTO, Scenario
from sim.source import Source
from sim.trace import FAILED, FINISHED, NEVER_BEGUN, REFUSED, Incident, Outcome, Sink, Trace
from workloads.stage import Request


class Run:
    """One replication under way; `heard`, `died` and `revived` are for the fleet to call.

    ``number`` counts the runs that these workers have served, from 1: by it they tell apart what
    belongs to which. Of the nodes ``paced``, those ``computing`` may take longer than they should;
    that is noted, and refuses a run that is dilated to prevent it. Those ``modelled`` have no real
    text to write. A second of the scenario lasts ``dilation`` seconds on the wall.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a run consists of
        self,
        scenario: Scenario,
        replication: int,
        number: int,
        sink: Sink | None,
        fleet: Fleet,
        paced: frozenset[str],
        inputs: Inputs,
        listeners: Listeners,
        computing: frozenset[str] = frozenset(),
        modelled: frozenset[str] = frozenset(),
        *,
        dilation: float = 1.0,
    ) -> None:
        self.clock = Clock(dilation)
        self.observer = Observer(scenario, self.clock)
        self._scenario = scenario
        self._fleet = fleet
        self._inputs = inputs
        self._forgotten: list[int] = []
        self._clerk = Clerk(scenario, paced, self.clock)
        self._source = Source(scenario, replication)
        self._trace = Trace("real", scenario.topology, sink)
        self._books = Books(scenario.topology)
        self._job_base = number << 32
        self._answers = Answers(fleet, self._job_base, listeners)
        self._writing = Writing(Checks(scenario, replication), modelled, self._answers, listeners)
        self._probes = Probes(scenario.topology, fleet, self._job_base - 1, self.clock)
        self._flights: dict[tuple[int, int], Flight] = {}
        self._tickets = Tickets()
        self._died_s: dict[str, float] = {}
        self._absent: set[str] = set()
        self._doomed: set[str] = set()
        self._distrusted: set[str] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._steps = Steps(
            fleet, self._clerk, self.observer, self.clock, scenario.topology,
            ended=self._end_plan, silent=self._close, guard=self._guard,
            writing=self._writing,
            computing=computing,
            counted_from=0 if scenario.warm_up == AUTO else scenario.warm_up,
        )  # fmt: skip

    async def warm_up(self) -> None:
        """Open the connections; `RealRunError` where a node cannot be reached."""
        await self._probes.send()
        self.observer.reconsider()

    async def trace(self) -> Trace:
        """Run until every request has ended, and return what happened.

        Raises `RunRefusedError` where the run was dilated, and still too fast for this machine.
        """
        self.clock.restart()
        first = self._source.first()
        self._tickets.expect(len(first))
        for request in first:
            self._schedule(request)
        try:
            await self._over
        finally:
            waits = (timer for flight in self._flights.values() for timer in flight.timers.values())
            for timer in (*self._timers.values(), *waits):  # else it would go off in the next run
                timer.cancel()
        trace = self._trace
        trace.end_s = self.clock.now_s
        trace.busy_s = dict(self._books.busy_s)
        trace.carried_bytes = tuple(self._books.carried_bytes)
        trace.off_s = self._books.off_s(trace.end_s)
        if self.clock.dilation != 1:
            self._steps.telling_overruns.refuse(self.clock.dilation)
        trace.incidents += self._steps.overruns.incidents(trace.end_s)
        trace.hand_over()
        return trace

    @property
    def sent_bytes(self) -> Sequence[float]:
        """What has arrived over each channel of the topology."""
        return self._steps.sent_bytes

    def abandon(self) -> None:
        """Have the workers drop what is left of requests that a failed run leaves open."""
        self._forgotten += {job for job, _ in self._flights}
        self.tidy_up()

    def tidy_up(self) -> None:
        """Have the workers drop what they hold of requests that have ended.

        To be called now and then: at the end of each request it would delay the next.
        """
        jobs, self._forgotten = self._forgotten, []
        for node in self._fleet.nodes if jobs else ():
            self._fleet.send(node, forget=control.Forget(jobs=jobs))

    def note(self, target: str, kind: str, detail: str = "") -> None:
        """Note that something befell a node or a link."""
        self._trace.incidents.append(Incident(self.clock.now_s, target, kind, detail))

    def fail(self, error: BaseException) -> None:
        """End the run with an error."""
        if not self._over.done():
            self._over.set_exception(error)

    # What is heard of workers.

    def heard(self, node: str, report: Any) -> None:
        """Take a report of a worker."""
        what = report.WhichOneof("what")
        message = getattr(report, what)
        if what in ("finished", "lost") and message.id.job == self._probes.job:
            self._probes.heard(report)
            if what == "finished" and self._probes.is_measuring:
                self._learn(node, message)
        else:
            self._guard(self._take, node, what, message)

    def died(self, node: str, kind: str, reason: str) -> None:
        """Take it that a node is gone, and all that it had to do."""
        if node in self._steps.dead:
            self._doomed.discard(node)
            return
        if node in self._doomed:
            self._doomed.discard(node)
        else:
            self.note(node, kind, reason)
        self._steps.dead.add(node)
        self._died_s[node] = self.clock.now_s
        self._believe()
        for flight in list(self._flights.values()):
            self._steps.strike(flight, node)
        for request in self._answers.drop(node):
            self._settle(request)

    def sweep(self) -> None:
        """Take for failed who says nothing of a step for longer than one may take."""
        faults = self._scenario.faults
        limit_s = faults.timeout_s + faults.silence_s
        for flight in list(self._flights.values()):
            for step in self._steps.owing(flight, self.clock.now_s - limit_s):
                culprit = self._less_trusted(place_of(step), end_of(step))
                self._distrusted.add(culprit)
                self.died(culprit, "given-up", f"no news of a step for {limit_s:g} s")

    def expect_end(self, node: str) -> None:
        """Take it that a node will end, as the fault that is noted already has it."""
        self._doomed.add(node)

    def revived(self, node: str) -> None:
        """Take it that a node is back, unless it is not to be trusted."""
        self._doomed.discard(node)
        if node not in self._distrusted:
            self._steps.dead.discard(node)
            self._believe()

    def restarted(self, node: str) -> None:
        """Take it that a node is back, empty."""
        self._inputs.hand_out(self._fleet, [node])
        self.revived(node)

    def set_member(self, node: str, *, member: bool) -> None:
        """Take it that a node has joined or left; one that leaves finishes what it has."""
        (self._absent.discard if member else self._absent.add)(node)
        self._believe()

    def _believe(self) -> None:
        down = frozenset(self._steps.dead | self._absent)
        self.observer.set_down(down)
        self._books.switch(down, self.clock.now_s)

    def _take(self, node: str, what: str, message: Any) -> None:
        if what == "answer":
            answered = self._answers.take(message)
            if answered is not None:
                self._settle(answered)
        elif what == "malformed":
            self._distrust(node, message)
        elif what == "lost" and (message.id.job >> 32) == (self._job_base >> 32):
            self.note(node, "lost-step", message.reason)
        flight = None
        if what in ("finished", "lost", "cancelled"):
            flight = self._flights.get((message.id.job, message.id.attempt))
        if flight is None:
            return
        if what == "finished":
            self._steps.has_finished(flight, node, message)
        else:
            self._steps.was_stopped(flight, node, message, lost=what == "lost")

    def _learn(self, node: str, message: Any) -> None:
        """Learn from a probe how long a way takes."""
        start_s = self._steps.seconds(message.source, message.start_ns)
        end_s = self._steps.seconds(node, message.end_ns)
        probe = Transfer(message.source, node, PROBE)
        self.observer.carried(probe, start_s, end_s, message.size_bytes)

    def _distrust(self, node: str, message: Any) -> None:
        """Treat a node that sent what was of no use as failed, for the rest of the run.

        So is one that says so of a node that is trusted more than itself.
        """
        if message.source == ORCHESTRATOR:
            raise RealRunError(f"the input of a request is of no use: {message.reason}")
        if message.source not in self._fleet.nodes:
            return
        reason, culprit = message.reason, self._less_trusted(message.source, node)
        if culprit != message.source:
            reason = f"refuses what {message.source!r} sends: {reason}"
        self._distrusted.add(culprit)
        self.died(culprit, "malformed", reason)

    def _less_trusted(self, node: str, other: str) -> str:
        """Return whom of two to blame: the first, unless it alone is trusted."""
        trusted = self._scenario.topology.node
        return other if trusted(node).trusted and not trusted(other).trusted else node

    def _guard(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - a policy's or a plan's error ends the run
            self.fail(error)

    # Requests.

    def _schedule(self, request: Request) -> None:
        timer = self.clock.call_at(request.arrival_s, self._arrive, request)
        self._timers[request.index] = timer

    def _arrive(self, request: Request) -> None:
        del self._timers[request.index]
        if self._scenario.patience_s < inf:
            end_s = request.arrival_s + self._scenario.patience_s
            self._timers[request.index] = self.clock.call_at(end_s, self._give_up, request)
        self._guard(self._execute, request, UNTOUCHED, ())

    def _execute(self, request: Request, progress: Progress, kept: Kept) -> None:
        try:
            plan = planned(self._scenario.policy, request, progress, self.observer.view())
        except CannotServeError as error:
            self._end_request(request, REFUSED, str(error))
            return
        self._clerk.check(plan)
        self.observer.endings.planned(request, plan)
        flight = Flight(request, plan, progress, kept, self._job_base + request.index)
        self._flights[flight.job, flight.attempt] = flight
        self._tickets.open(flight)
        inputs = self._inputs.of(flight.job, request, plan, progress)
        self._steps.tell_first(flight, inputs)
        for index in flight.walk.first():
            self._steps.begin(flight, index)
        if not plan.steps:
            self._end_plan(flight)

    def _end_plan(self, flight: Flight) -> None:
        flight.over = True
        for index in flight.told:  # what was doomed waits in vain
            if flight.states[index] == NEVER_BEGUN and index not in flight.pending:
                self._steps.withdraw(flight, index)
        verdict = settled(flight.course, self._scenario.faults.plans, self._stands)
        if isinstance(verdict, Ended):
            self._end_request(flight.request, *verdict)
        else:
            self._execute(flight.request, verdict.progress, verdict.kept)
        self._close(flight)

    def _stands(self, step: Step, end_s: float) -> bool:
        """Whether the result of a finished step is where it was: its node has not died since."""
        return self._died_s.get(end_of(step), -inf) < end_s

    def _give_up(self, request: Request) -> None:
        flights = self._tickets.flights_of(request.index)
        for flight in flights:
            if not flight.over:
                flight.over = True
                for index in sorted(flight.told | flight.timers.keys()):
                    if flight.states[index] == NEVER_BEGUN and index not in flight.pending:
                        self._steps.cancel(flight, index)
        patience_s = self._scenario.patience_s
        self._end_request(request, FAILED, f"not answered within {patience_s:g} s")
        for flight in flights:
            self._close(flight)

    def _end_request(self, request: Request, outcome: str, reason: str) -> None:
        now_s = self.clock.now_s
        timer = self._timers.pop(request.index, None)
        if timer is not None:
            timer.cancel()
        ending = Outcome(request, now_s, outcome, reason)
        self._tickets.conclude(ending)
        self.observer.endings.ended(ending)
        if outcome == FINISHED and request.origin not in self._steps.dead:
            self._answers.ask(request)
        following = self._source.after(request, now_s)
        if following is not None:
            self._tickets.expect(1)
            self._schedule(following)
        self._settle(request.index)

    def _close(self, flight: Flight) -> None:
        """Put a plan that is over into the trace, once nothing more is to be heard of it."""
        if flight.pending or not self._tickets.close(flight):
            return
        del self._flights[flight.job, flight.attempt]
        self._trace.add(
            flight.request.index,
            flight.attempt,
            flight.plan,
            flight.queued_s,
            flight.start_s,
            flight.end_s,
            flight.states,
            flight.used,
            flight.course.made,
        )
        self._books.book(flight)
        self._settle(flight.request.index)

    def _settle(self, request: int) -> None:
        """End a request for good once all of its plans are in the trace."""
        outcome = None if self._answers.awaits(request) else self._tickets.settled(request)
        if outcome is None:
            return
        self._forgotten.append(self._job_base + request)
        self._writing.forget(outcome.request)
        self._trace.end(outcome)
        if self._tickets.all_settled and not self._over.done():
            self._over.set_result(None)
