"""Who waits for what on a node, and ways that are closed."""

import asyncio

import pytest

from real_runner.workers import ledger as ledgers
from real_runner.workers.gates import Gates
from real_runner.workers.ledger import Ledger


async def is_waiting(task: asyncio.Task) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


def test_a_step_goes_on_once_all_that_it_awaits_is_done() -> None:
    ledger: Ledger[str] = Ledger()
    assert ledger.note(1, (0, 3)) == []
    assert not ledger.enter(1, 0, (3, 4, 5), "waits")
    assert ledger.is_awaited(1, (0, 4))
    assert not any(ledger.is_awaited(*step) for step in ((1, (0, 3)), (1, (1, 4)), (2, (0, 4))))
    for note in ((1, (0, 4)), (2, (0, 5)), (1, (1, 5)), (1, (0, 6)), (1, (0, 4))):
        assert not ledger.note(*note), "another job's, another attempt's or another step"
    assert ledger.note(1, (0, 5)) == ["waits"]
    assert ledger.note(1, (0, 5)) == [], "once"
    assert ledger.enter(1, 0, (), "awaits nothing")
    assert ledger.enter(1, 0, (3, 5), "comes late")


def test_what_has_waited_for_the_same_step_goes_on_in_the_order_of_arrival() -> None:
    ledger: Ledger[int] = Ledger()
    for number in range(3):
        ledger.enter(1, 0, (7,), number)
    ledger.enter(1, 0, (7, 8), 3)
    assert ledger.note(1, (0, 7)) == [0, 1, 2]
    assert ledger.note(1, (0, 8)) == [3]


def test_a_job_that_is_closed_is_known_to_be_over_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "_REMEMBERED", 3)
    ledger: Ledger[str] = Ledger()
    for job in range(5):
        assert not ledger.is_over(job)
        ledger.note(job, (0, 0))
        ledger.enter(job, 0, (1,), "waits in vain")
        ledger.close(job)
        assert not ledger.note(job, (0, 1))
    assert [ledger.is_over(job) for job in range(5)] == [False, False, True, True, True]
    assert not ledger._entries
    assert not ledger._done


def test_a_closed_way_is_passed_once_it_is_open() -> None:
    async def script() -> None:
        gates = Gates()
        await gates.passing("a")
        await gates.close(["a", "b"])
        waiting = asyncio.create_task(gates.passing("a"))
        assert await is_waiting(waiting)
        await gates.passing("c")
        await gates.close(["a"])
        assert await is_waiting(waiting)
        await gates.close([])
        await asyncio.wait_for(waiting, 1)

    asyncio.run(script())
