"""Reports come late and in any order; the trace is the same, and everything ends once."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from real_runner.control.messages import control
from real_runner.deployment import Deployment, NodeSpec
from real_runner.orchestration.answers import Listeners
from real_runner.orchestration.flight import at_once
from real_runner.orchestration.inputs import inputs_for
from real_runner.orchestration.run import Run
from sim.faults import FaultPlan
from sim.plan import Compute, Plan, Transfer, end_of, place_of
from sim.policies.chain import Local
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED, Estimates, Policy, View
from sim.runner import Scenario
from sim.trace import CANCELLED, FINISHED, LOST, Trace
from tests.conftest import At, Scripted, TwoParts, small_topology
from topologies.shipped import load
from workloads.images import Image
from workloads.sam.model import Sam
from workloads.sam.modes import MODES
from workloads.sam.variants import VARIANTS
from workloads.stage import Payload, Request, Stage
from workloads.workload import Workload

SYNTHETIC = Deployment(default=NodeSpec(executor="synthetic"))
SECOND = Stage("second", 1e12, 0.0)
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)
MS = 1_000_000
Pick = Callable[[list[int]], int]

FORK_JOIN = Plan(
    (
        Compute("edge", (SECOND,)),
        Transfer("edge", "a", PARTS, after=(0,)),
        Transfer("edge", "b", PARTS, after=(0,)),
        Compute("a", (SECOND,), (1,)),
        Compute("b", (SECOND,), (2,)),
        Transfer("a", "edge", PARTS, after=(3,)),
        Transfer("b", "edge", PARTS, after=(4,)),
        Compute("edge", (SECOND,), (5, 6)),
        Compute("edge", (SECOND,), (7,)),
    )
)
ORDERED = Plan(
    (
        Compute("a", (SECOND,)),
        Compute("b", (SECOND,), (0,)),  # on another node, without a transfer between them
        Transfer("b", "edge", PARTS, after=(1,)),
        Transfer("a", "edge", PARTS, after=(0,)),
        Compute("edge", (SECOND,), (2, 3)),
    )
)
RACE = Plan(
    (
        Transfer("edge", "a", PARTS),
        Transfer("edge", "b", PARTS),
        Compute("a", (SECOND,), (0,)),
        Compute("b", (SECOND,), (1,)),
        Transfer("a", "edge", PARTS, after=(2,)),
        Transfer("b", "edge", PARTS, after=(3,)),
        Compute("edge", (SECOND,), (4, 5), need=1),
    )
)


class Told:
    """In place of the workers: keeps what they are told. Everything else is the real thing."""

    def __init__(self) -> None:
        self.nodes = ("edge", "a", "b")
        self.workers: dict[str, Any] = {}
        self.tasks: dict[int, dict[int, Any]] = {}
        self.cancelled: list[int] = []
        self.forgotten: list[int] = []

    def send(self, node: str, **command: Any) -> None:
        """Take a command."""
        for task in command["tasks"].tasks if "tasks" in command else ():
            assert place(task, node)
            told = self.tasks.setdefault(command["tasks"].attempt, {})
            assert task.step not in told, "told twice"
            told[task.step] = task
        if "cancel" in command:
            self.cancelled.append(command["cancel"].id.step)
        if "forget" in command:
            self.forgotten += command["forget"].jobs


def place(task: Any, node: str) -> bool:
    return task.HasField("compute") or task.transfer.target != node


def scenario_of(policy: Policy, **changes: Any) -> Scenario:
    values = {
        "name": "test", "topology": small_topology(), "policy": policy, "policy_name": "scripted",
        "workload": Workload(TwoParts(), At((0.0,)), 1), "origins": ("edge",), "deadline_s": 1.0,
    }  # fmt: skip
    return Scenario(**(values | changes))


class Play:
    """One run, whose workers are played by the test."""

    def __init__(self, scenario: Scenario) -> None:
        self.told = Told()
        inputs = inputs_for(scenario, SYNTHETIC, 0)
        self.run = Run(scenario, 0, 1, None, self.told, frozenset(), inputs, Listeners())
        self.trace: asyncio.Task[Trace] = asyncio.create_task(self.run.trace())
        self.job = 1 << 32

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - there is nothing that tells
                await asyncio.sleep(0)

    def moment(self, after_ms: float) -> int:
        return self.run.clock._zero_ns + round(after_ms * MS)

    def id(self, step: int, attempt: int = 0) -> Any:
        return control.StepId(job=self.job, attempt=attempt, step=step)

    def finish(self, plan: Plan, index: int, queued_ms: float, attempt: int = 0) -> None:
        step = plan.steps[index]
        finished = control.Finished(
            id=self.id(index, attempt), source=place_of(step), queued_ns=self.moment(queued_ms),
            start_ns=self.moment(queued_ms + 1), end_ns=self.moment(queued_ms + 10), size_bytes=7,
        )  # fmt: skip
        self.run.heard(end_of(step), control.Report(finished=finished))


def moments(plan: Plan) -> list[float]:
    """Return when each step began to wait, in milliseconds: once the last before it had ended."""
    queued_ms: list[float] = []
    for step in plan.steps:
        queued_ms.append(max((queued_ms[early] + 10 for early in step.after), default=5.0))
    return queued_ms


def played(plan: Plan, pick: Pick) -> Trace:
    """Report all steps of a plan, as soon as they are told, in the order that ``pick`` gives."""

    async def script() -> Trace:
        play = Play(scenario_of(Scripted((plan,))))
        await play.until(lambda: bool(play.told.tasks))
        heard: set[int] = set()
        while open_steps := sorted(set(play.told.tasks[0]) - heard):
            index = pick(open_steps)
            heard.add(index)
            play.finish(plan, index, moments(plan)[index])
        async with asyncio.timeout(5):
            trace = await play.trace
        play.run.tidy_up()
        assert play.told.forgotten == [play.job] * 3
        return trace

    return asyncio.run(script())


def rows(trace: Trace) -> list[tuple[object, ...]]:
    return [(r.request, r.attempt, r.step, r.outcome) for r in trace.records]


@pytest.mark.parametrize("plan", [FORK_JOIN, ORDERED], ids=["fork-join", "ordered"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_the_order_of_reports_the_trace_is_the_same(plan: Plan, data: Any) -> None:
    trace = played(plan, lambda there: data.draw(st.sampled_from(there)))
    queued_ms = moments(plan)
    assert len(trace.outcomes) == 1
    assert trace.outcomes[0].outcome == FINISHED
    for record in trace.records:
        assert record.outcome == FINISHED
        times_ms = (record.queued_s * 1e3, record.start_s * 1e3, record.end_s * 1e3)
        began_ms = queued_ms[record.step]
        assert times_ms == pytest.approx((began_ms, began_ms + 1, began_ms + 10), abs=1e-3)
    assert sorted(record.step for record in trace.records) == list(range(len(plan.steps)))
    transfers = sum(isinstance(step, Transfer) for step in plan.steps)
    assert sum(trace.carried_bytes) == 7 * 2 * transfers, "two links each, as it was reported"
    busy_s = sum(9e-3 for step in plan.steps if isinstance(step, Compute))
    assert sum(trace.busy_s.values()) == pytest.approx(busy_s)


def test_a_report_that_never_comes_keeps_the_request_open() -> None:
    """So the test above could fail: the trace waits for the report of every step."""

    async def script() -> None:
        play = Play(scenario_of(Scripted((FORK_JOIN,))))
        await play.until(lambda: bool(play.told.tasks))
        for index in range(1, 9):
            play.finish(FORK_JOIN, index, moments(FORK_JOIN)[index])
        await asyncio.sleep(0.05)
        assert not play.trace.done()
        play.finish(FORK_JOIN, 0, moments(FORK_JOIN)[0])
        await asyncio.wait_for(play.trace, 5)

    asyncio.run(script())


def test_the_loser_of_a_race_is_cancelled_and_heard_of_before_the_request_closes() -> None:
    async def script(loser: Any) -> Trace:
        play = Play(scenario_of(Scripted((RACE,))))
        await play.until(lambda: bool(play.told.tasks))
        for index in (0, 1, 2, 4):
            play.finish(RACE, index, moments(RACE)[index])
        assert set(play.told.cancelled) == {3, 5}
        play.finish(RACE, 6, moments(RACE)[6])
        await asyncio.sleep(0.02)
        assert not play.trace.done(), "it is not known yet where the losers stood"
        loser(play)
        return await asyncio.wait_for(play.trace, 5)

    def was_stopped(play: Play) -> None:
        for index, queued_ms in ((3, 15.0), (5, 0.0)):
            cancelled = control.Cancelled(id=play.id(index), end_ns=play.moment(30))
            if queued_ms:
                cancelled.queued_ns = play.moment(queued_ms)
                cancelled.start_ns = play.moment(queued_ms + 1)
            play.run.heard("b", control.Report(cancelled=cancelled))

    def was_quicker(play: Play) -> None:
        play.finish(RACE, 3, 15.0)
        play.finish(RACE, 5, 25.0)

    def died(play: Play) -> None:
        play.run.died("b", "ended", "gone")

    outcomes = {
        name: {record.step: record.outcome for record in asyncio.run(script(loser)).records}
        for name, loser in (("stopped", was_stopped), ("quicker", was_quicker), ("died", died))
    }
    winner = dict.fromkeys((0, 1, 2, 4, 6), FINISHED)
    assert outcomes["stopped"] == winner | {3: CANCELLED}
    assert outcomes["quicker"] == winner | {3: CANCELLED, 5: CANCELLED}, "its bytes were seen"
    assert outcomes["died"] == winner | {3: CANCELLED}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_race_ends_once_whatever_the_order_of_reports(data: Any) -> None:
    trace = played(RACE, lambda there: data.draw(st.sampled_from(there)))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    won = {record.step for record in trace.records if record.outcome == FINISHED}
    assert 6 in won
    assert {2, 4} <= won or {3, 5} <= won


def test_late_reports_of_a_dead_node_change_nothing() -> None:
    again = Plan((Compute("edge", (SECOND,)),))

    async def script() -> None:
        play = Play(scenario_of(Scripted((FORK_JOIN, again))))
        await play.until(lambda: bool(play.told.tasks))
        for index in (0, 1, 2):
            play.finish(FORK_JOIN, index, moments(FORK_JOIN)[index])
        play.run.died("a", "given-up", "silent")
        for index in (4, 6):
            play.finish(FORK_JOIN, index, moments(FORK_JOIN)[index])
        assert 1 in play.told.tasks, "planned again as soon as nothing of the first plan is open"
        play.finish(FORK_JOIN, 3, 25.0)
        play.finish(FORK_JOIN, 5, 35.0)
        play.finish(FORK_JOIN, 7, 45.0)
        play.run.died("a", "ended", "again")
        play.finish(again, 0, 60.0, attempt=1)
        play.finish(again, 0, 60.0, attempt=1)
        trace = await asyncio.wait_for(play.trace, 5)
        assert sorted(rows(trace)) == [
            *((0, 0, step, LOST if step == 3 else FINISHED) for step in (0, 1, 2, 3, 4, 6)),
            (0, 1, 0, FINISHED),
        ]
        assert [(i.target, i.kind) for i in trace.incidents] == [("a", "given-up")]
        assert len(trace.outcomes) == 1

    asyncio.run(script())


def test_who_says_nothing_of_a_transfer_for_too_long_has_failed() -> None:
    faults = FaultPlan(timeout_s=0.25, silence_s=0.25)

    async def script() -> None:
        again = Plan((Compute("edge", (SECOND,)),))
        play = Play(scenario_of(Scripted((FORK_JOIN, again)), faults=faults))
        await play.until(lambda: bool(play.told.tasks))
        play.finish(FORK_JOIN, 0, 5.0)
        play.finish(FORK_JOIN, 2, 15.0)
        play.run.sweep()
        assert play.run.observer.down == frozenset()
        await asyncio.sleep(0.8)
        play.run.sweep()
        assert play.run.observer.down == {"a"}, "the edge is trusted, a is not"
        play.run.revived("a")
        assert play.run.observer.down == {"a"}, "for the rest of the run"
        play.trace.cancel()

    asyncio.run(script())


@pytest.mark.parametrize("mode", MODES)
def test_a_sharded_plan_is_handed_out_at_once_and_whole(mode: str) -> None:
    topology = load("jetson-16-clouds")
    model = Sam(VARIANTS["vit-b"], Image(1280, 720, "jpeg"))
    rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
    cost = scenario_of(Local()).cost
    view = View(0.0, 0.0, Estimates(topology, cost, rates), {}, ())
    request = Request(0, 0.0, "jetson", model)
    plan = Sharded(mode, "round-robin").plan(request, UNTOUCHED, view)
    assert at_once(plan) == tuple(range(len(plan.steps)))


def test_what_a_worker_cannot_see_for_itself_is_handed_out_later() -> None:
    assert at_once(ORDERED) == (0, 2, 3, 4), "b cannot see that a is done"
    assert at_once(RACE) == (0, 1, 2, 3, 4, 5), "a join of some is the walk's to decide"


def test_answers_are_told_apart_by_run() -> None:
    """What belongs to an earlier run of the same workers is nobody's business."""

    async def script() -> None:
        numbers = count(1)
        play = Play(scenario_of(Scripted((FORK_JOIN,))))
        await play.until(lambda: bool(play.told.tasks))
        play.job = next(numbers) << 40
        play.finish(FORK_JOIN, 0, 5.0)
        lost = control.Lost(id=play.id(0), end_ns=1, reason="old")
        play.run.heard("a", control.Report(lost=lost))
        play.job = 1 << 32
        for index in range(9):
            play.finish(FORK_JOIN, index, moments(FORK_JOIN)[index])
        trace = await asyncio.wait_for(play.trace, 5)
        assert trace.incidents == []
        assert len(trace.records) == 9

    asyncio.run(script())
