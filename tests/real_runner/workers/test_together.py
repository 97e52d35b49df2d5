"""Batches before a device: who is in one, when it begins, what it tells its members."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from threading import Event

import pytest

from real_runner.errors import StepError
from real_runner.executor import NOTHING, Made
from real_runner.workers.device import NS, Device, Turn
from real_runner.workers.synthetic import SyntheticExecutor
from real_runner.workers.together import Gatherer, Member, Together
from workloads.stage import Stage

NEVER_S = 60.0
"""Longer than any test waits."""


class Passes(SyntheticExecutor):
    """Notes who ran with whom; each makes its own number. Waits for ``free`` where it is asked."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.refused: set[int] = set()
        self.begun, self.free = Event(), Event()
        self.free.set()

    def run(self, job, stages, stopped=lambda: False) -> Made:
        del stages, stopped
        return self._pass([job])[0]

    def run_together(self, works: Sequence[tuple[int, tuple[Stage, ...]]]) -> list[Made]:
        return self._pass([job for job, _ in works])

    def _pass(self, jobs: list[int]) -> list[Made]:
        self.begun.set()
        assert self.free.wait(NEVER_S)
        if refused := self.refused & set(jobs):
            raise StepError(f"caches of {min(refused)} are gone")
        if -1 in jobs:
            raise ArithmeticError("no")
        self.passes.append(jobs)
        return [Made((job,)) for job in jobs]


def round_of(new: int = 1, past: int = 0) -> tuple[Stage, ...]:
    return (Stage("llama.middle", 1.0, 1.0, blocks=(1, 2), positions=(past, past + new)),)


def member(job: int, *hold_s: float, stages: tuple[Stage, ...] | None = None) -> Member:
    return Member(job, stages or round_of(past=job), Turn(), hold_s or (0.0,))


Script = Callable[[Gatherer, Device], Awaitable[None]]


def gathering(executor, script: Script, largest: int = 3, wait_s: float = NEVER_S) -> None:
    async def run() -> None:
        device = Device(1)
        try:
            async with asyncio.timeout(NEVER_S / 2):
                await script(Gatherer(device, executor, largest, wait_s), device)
        finally:
            device.close()

    asyncio.run(run())


async def occupied(device: Device, executor: Passes) -> asyncio.Task:
    """Have the device hold its slot until ``executor.free`` is set."""
    executor.free.clear()
    begun = Event()

    def hold() -> Made:
        begun.set()
        assert executor.free.wait(NEVER_S)
        return NOTHING

    task = asyncio.create_task(device.run(Turn(), hold, 0.0))
    await asyncio.to_thread(begun.wait)
    return task


async def settled() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_full_batch_starts_at_once_in_one_pass_and_each_gets_its_own_result() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job) for job in (4, 5, 6)]
        await asyncio.gather(*map(gatherer.run, members))  # or it would wait for ever
        assert [each.turn.made.tokens for each in members] == [(4,), (5,), (6,)]

    gathering(executor, script)
    assert executor.passes == [[4, 5, 6]]


def test_one_more_than_fill_a_batch_begin_the_next() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        await asyncio.gather(*(gatherer.run(member(job)) for job in range(6)))

    gathering(executor, script)
    assert executor.passes == [[0, 1, 2], [3, 4, 5]]


def test_one_alone_waits_no_longer_than_it_may() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        await gatherer.run(member(1))

    gathering(executor, script, wait_s=0.02)
    assert executor.passes == [[1]]


def test_a_batch_grows_while_the_device_is_busy_though_it_has_waited_long_enough() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, device: Device) -> None:
        holding = await occupied(device, executor)
        first = asyncio.create_task(gatherer.run(member(1)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(gatherer.run(member(2)))
        await settled()
        executor.free.set()
        await asyncio.gather(holding, first, second)

    gathering(executor, script, wait_s=0.0)
    assert executor.passes == [[1, 2]]


def test_who_comes_when_a_batch_has_begun_is_in_the_next() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        executor.free.clear()
        first = asyncio.create_task(gatherer.run(member(1)))
        await asyncio.to_thread(executor.begun.wait)
        second = asyncio.create_task(gatherer.run(member(2)))
        await settled()
        executor.free.set()
        await asyncio.gather(first, second)

    gathering(executor, script, wait_s=0.0)
    assert executor.passes == [[1], [2]]


def test_only_equal_work_meets_wherever_in_its_text() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        one, five = round_of(1, 900), round_of(5, 0)
        works = [(1, round_of(1, 3)), (2, five), (3, one), (4, round_of(5, 70))]
        await asyncio.gather(*(gatherer.run(member(job, stages=does)) for job, does in works))

    gathering(executor, script, largest=2)
    assert sorted(executor.passes) == [[1, 3], [2, 4]]


def test_who_is_cancelled_in_time_leaves_and_the_others_go_on() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        leaving = asyncio.create_task(gatherer.run(member(1)))
        staying = [asyncio.create_task(gatherer.run(member(job))) for job in (2, 3)]
        await settled()
        leaving.cancel()
        await settled()
        assert leaving.cancelled()
        assert not any(task.done() for task in staying)
        await asyncio.gather(*staying, gatherer.run(member(4)))

    gathering(executor, script, largest=4, wait_s=0.1)
    assert executor.passes == [[2, 3, 4]]


def test_what_all_have_left_holds_nothing() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, device: Device) -> None:
        holding = await occupied(device, executor)
        leaving = asyncio.create_task(gatherer.run(member(1, NEVER_S)))
        await settled()
        leaving.cancel()
        executor.free.set()
        await holding
        await device.run(Turn(), lambda: NOTHING, 0.0)

    gathering(executor, script, wait_s=0.0)
    assert executor.passes == []


def test_a_slot_is_let_go_of_once_nobody_wants_any_of_its_batch() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, device: Device) -> None:
        members = [member(job, NEVER_S, NEVER_S) for job in (1, 2)]
        running = [asyncio.create_task(gatherer.run(each)) for each in members]
        await asyncio.to_thread(executor.begun.wait)
        gatherer.cancel(members[0].turn)
        await settled()
        assert not any(task.done() for task in running), "one of two is still wanted"
        gatherer.cancel(members[1].turn)
        await asyncio.gather(*running)
        await device.run(Turn(), lambda: NOTHING, 0.0)

    gathering(executor, script, largest=2)
    assert executor.passes == [[1, 2]]


def test_an_error_of_the_pass_reaches_all_and_the_device_is_free() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job, stages=round_of()) for job in (1, -1, 3)]
        found = await asyncio.gather(*map(gatherer.run, members), return_exceptions=True)
        assert [type(each) for each in found] == [ArithmeticError] * 3
        assert all(0 < each.turn.start_ns <= each.turn.end_ns for each in members)
        await gatherer.run(member(4))

    gathering(executor, script, wait_s=0.2)
    assert executor.passes == [[4]]


def test_what_is_refused_of_one_is_told_to_that_one_and_done_for_the_others() -> None:
    executor = Passes()
    executor.refused = {5}

    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job) for job in (4, 5, 6)]
        found = await asyncio.gather(*map(gatherer.run, members), return_exceptions=True)
        assert [str(each) for each in found] == ["None", "caches of 5 are gone", "None"]
        assert [each.turn.made.tokens for each in members] == [(4,), (), (6,)]

    gathering(executor, script)
    assert executor.passes == [[4], [6]]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_slot_is_held_as_long_as_the_number_of_members_says(count: int) -> None:
    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job, 0.05, 0.2, 0.35) for job in range(count)]
        await asyncio.gather(*map(gatherer.run, members))
        held_s = {(each.turn.end_ns - each.turn.start_ns) * NS for each in members}
        assert len(held_s) == 1, "the times of the whole are each one's"
        assert held_s.pop() >= (0.05, 0.2, 0.35)[count - 1]

    gathering(Passes(), script, wait_s=0.1)


@pytest.mark.parametrize("executor", [Passes(), SyntheticExecutor()])
def test_without_figures_it_is_held_as_long_as_it_takes_and_shares_add_up(executor) -> None:
    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job) for job in range(3)]
        await asyncio.gather(*map(gatherer.run, members))
        assert sum(each.turn.share for each in members) == pytest.approx(1.0)
        assert all(each.turn.computing for each in members)
        assert len({(each.turn.start_ns, each.turn.end_ns) for each in members}) == 1

    gathering(executor, script)


def test_an_executor_that_knows_no_passes_computes_one_after_the_other_in_one_slot() -> None:
    class Alone(SyntheticExecutor):
        jobs: list[int] = []  # noqa: RUF012 - of this test alone

        def run(self, job, stages, stopped=lambda: False) -> Made:
            assert not stopped()
            self.jobs.append(job)
            return Made((len(stages),))

    assert not isinstance(Alone(), Together)
    assert isinstance(Passes(), Together)

    async def script(gatherer: Gatherer, _: Device) -> None:
        members = [member(job) for job in range(3)]
        await asyncio.gather(*map(gatherer.run, members))
        assert [each.turn.made for each in members] == [Made((1,))] * 3

    gathering(Alone(), script)
    assert Alone.jobs == [0, 1, 2]


def test_nothing_is_lost_between_one_batch_and_the_next() -> None:
    executor = Passes()

    async def script(gatherer: Gatherer, _: Device) -> None:
        async def text(job: int) -> None:
            for _ in range(100):
                await gatherer.run(one := member(job))
                assert one.turn.made.tokens == (job,)

        await asyncio.gather(*map(text, range(8)))

    gathering(executor, script, largest=4, wait_s=0.0)
    assert sum(map(len, executor.passes)) == 800
