"""Reports on their way out: in order, together where they may, and never for long by themselves."""

import asyncio

import pytest

pytest.importorskip("grpc")

from real_runner.control.messages import control
from real_runner.workers.outbox import Outbox


def pong(number: int):
    return control.Pong(sent_ns=number)


def numbers(message) -> list[int]:
    return [report.pong.sent_ns for report in message.reports]


async def told(outbox: Outbox) -> list[list[int]]:
    return [numbers(message) async for message in outbox.messages()]


def test_what_is_not_urgent_travels_with_what_is_and_keeps_its_place():
    async def play() -> list[list[int]]:
        outbox = Outbox()
        reading = asyncio.create_task(told(outbox))
        for number in (1, 2, 3):
            outbox.tell(urgent=False, pong=pong(number))
            await asyncio.sleep(0)
        outbox.tell(pong=pong(4))
        await asyncio.sleep(0)
        outbox.tell(pong=pong(5))
        outbox.end()
        return await reading

    assert asyncio.run(play()) == [[1, 2, 3, 4], [5]]


def test_what_is_not_urgent_is_told_by_itself_when_nothing_follows():
    async def play() -> list[int]:
        outbox = Outbox()
        outbox.tell(urgent=False, pong=pong(1))
        return numbers(await asyncio.wait_for(anext(outbox.messages()), 10))

    assert asyncio.run(play()) == [1]


def test_nothing_is_lost_at_the_end():
    async def play() -> list[list[int]]:
        outbox = Outbox()
        outbox.tell(urgent=False, pong=pong(1))
        outbox.end()
        return await told(outbox)

    assert asyncio.run(play()) == [[1]]


def test_long_reports_do_not_add_up_to_a_message_that_nobody_takes():
    async def play() -> list[int]:
        outbox = Outbox()
        for _ in range(3):
            outbox.tell(answer=control.Answer(content=bytes(1 << 20)))
        outbox.end()
        return [len(message.reports) async for message in outbox.messages()]

    assert asyncio.run(play()) == [1, 1, 1]
