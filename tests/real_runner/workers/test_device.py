"""A device's slots: who comes when, how long one is held, and what frees it."""

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from threading import get_ident

import pytest

from real_runner.workers import device as devices
from real_runner.workers.device import NS, Device, Turn

SLACK_S = 0.35
"""How much later than it should a thing may happen on a machine that others use, too."""


def nothing() -> None:
    """Compute nothing."""


def held_s(turn: Turn) -> float:
    return (turn.end_ns - turn.start_ns) * NS


def on_device(slots: int, script: Callable[[Device], object]) -> None:
    async def run() -> None:
        device = Device(slots)
        try:
            await script(device)
        finally:
            device.close()

    asyncio.run(run())


def test_one_slot_serves_in_the_order_of_arrival() -> None:
    order: list[int] = []

    async def script(device: Device) -> None:
        turns = [Turn() for _ in range(5)]
        await asyncio.gather(
            *(device.run(turn, partial(order.append, i), 0.02) for i, turn in enumerate(turns))
        )
        assert all(a.end_ns <= b.start_ns for a, b in itertools.pairwise(turns))

    on_device(1, script)
    assert order == [0, 1, 2, 3, 4]


def test_two_slots_serve_two_at_one_time_and_no_more() -> None:
    async def script(device: Device) -> None:
        turns = [Turn() for _ in range(4)]
        await asyncio.gather(*(device.run(turn, nothing, 0.2) for turn in turns))
        first = min(turn.end_ns for turn in turns)
        assert sum(turn.start_ns < first for turn in turns) == 2

    on_device(2, script)


@pytest.mark.parametrize("hold_s", [0.45, 0.7])
def test_a_hold_lasts_as_modelled_whatever_the_computation_took(hold_s: float) -> None:
    async def script(device: Device) -> None:
        turn = Turn()
        await device.run(turn, partial(time.sleep, 0.4), hold_s)
        assert hold_s <= held_s(turn) < hold_s + SLACK_S
        assert 0.4 <= turn.native_s < 0.4 + SLACK_S

    on_device(1, script)


def test_without_a_model_it_takes_as_long_as_it_takes() -> None:
    async def script(device: Device) -> None:
        turn = Turn()
        await device.run(turn, partial(time.sleep, 0.1), 0.0)
        assert turn.native_s <= held_s(turn) < turn.native_s + SLACK_S

    on_device(1, script)


def test_a_slow_node_takes_longer_natively_too() -> None:
    async def script(device: Device) -> None:
        turn = Turn()
        device.set_speed(0.25)
        await device.run(turn, partial(time.sleep, 0.2), 0.0)
        assert held_s(turn) == pytest.approx(4 * turn.native_s, abs=SLACK_S)

    on_device(1, script)


def test_a_change_of_speed_counts_from_when_it_comes() -> None:
    async def script(device: Device) -> None:
        turn = Turn()
        holding = asyncio.create_task(device.run(turn, nothing, 0.9))
        await asyncio.sleep(0.45)
        device.set_speed(0.5)  # half of the work is left, and takes 0.9 s
        await holding
        assert held_s(turn) == pytest.approx(1.35, abs=SLACK_S)
        device.set_speed(1.0)
        await device.run(turn := Turn(), nothing, 0.5)
        assert held_s(turn) == pytest.approx(0.5, abs=SLACK_S)

    on_device(1, script)


def test_a_cancelled_hold_frees_its_slot_at_once() -> None:
    async def script(device: Device) -> None:
        long, following = Turn(), Turn()
        both = asyncio.gather(device.run(long, nothing, 30.0), device.run(following, nothing, 0.0))
        await asyncio.sleep(0.1)
        device.cancel(long)
        await both
        assert held_s(long) < 10.0  # of 30
        assert following.start_ns >= long.end_ns

    on_device(1, script)


def test_what_is_cancelled_before_its_turn_never_computes() -> None:
    computed: list[str] = []

    async def script(device: Device) -> None:
        waiting = Turn()
        both = asyncio.gather(
            device.run(Turn(), nothing, 0.5),
            device.run(waiting, partial(computed.append, "x"), 0.0),
        )
        await asyncio.sleep(0.02)
        device.cancel(waiting)
        await both
        assert (waiting.computing, waiting.start_ns) == (False, 0)

    on_device(1, script)
    assert computed == []


def test_a_computation_that_fails_frees_its_slot_and_has_an_end() -> None:
    def fail() -> None:
        raise ArithmeticError("no")

    async def script(device: Device) -> None:
        turn = Turn()
        with pytest.raises(ArithmeticError):
            await device.run(turn, fail, 9.0)
        assert 0 < turn.start_ns <= turn.end_ns
        await device.run(after := Turn(), nothing, 0.0)
        assert after.end_ns

    on_device(1, script)


def test_every_thread_that_computes_is_prepared() -> None:
    prepared: set[int] = set()
    computing: set[int] = set()

    async def script() -> None:
        device = Device(2, lambda: prepared.add(get_ident()))
        work = [device.run(Turn(), lambda: computing.add(get_ident()), 0.05) for _ in range(4)]
        await asyncio.gather(*work)
        device.close()

    asyncio.run(script())
    assert computing <= prepared
    assert len(computing) == 2


@pytest.mark.parametrize(
    ("slots", "sort", "took_s", "hold_s", "speed", "is_on_loop"),
    [
        (1, "quick", 0.0, 0.0, 1.0, True),
        (1, "slow", 0.3, 0.0, 1.0, False),
        (1, None, 0.0, 0.0, 1.0, False),
        (2, "quick", 0.0, 0.0, 1.0, False),
        (1, "paced", 0.0, 0.01, 1.0, False),
        (1, "slowed", 0.0, 0.0, 0.5, False),
    ],
)
def test_what_was_quick_before_and_holds_no_longer_is_computed_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
    slots: int,
    sort: str | None,
    took_s: float,
    hold_s: float,
    speed: float,
    *,
    is_on_loop: bool,
) -> None:
    monkeypatch.setattr(devices, "QUICK_S", 0.3)  # which nothing takes, however busy the machine
    threads: list[int] = []

    def compute() -> None:
        threads.append(get_ident())
        time.sleep(2 * took_s)

    async def script(device: Device) -> None:
        device.set_speed(speed)
        for _ in range(3):
            await device.run(Turn(), compute, hold_s, sort)
        assert [thread == get_ident() for thread in threads] == [False, is_on_loop, is_on_loop]

    on_device(slots, script)


def test_the_event_loop_has_its_turns_in_much_quick_work_and_may_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "QUICK_S", 0.3)
    monkeypatch.setattr(devices, "STRETCH_S", 0.02)
    turns = [Turn() for _ in range(20)]
    done: list[int] = []

    async def script(device: Device) -> None:
        loop = asyncio.get_running_loop()

        def compute(number: int) -> None:
            time.sleep(0.01)
            done.append(number)
            if number == 4:
                loop.call_soon(device.cancel, turns[-1])

        for number, turn in enumerate(turns):
            await device.run(turn, partial(compute, number), 0.0, "token")

    on_device(1, script)
    assert done == list(range(19))


def test_the_quick_is_forgotten_that_was_not_seen_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_REMEMBERED", 2)
    monkeypatch.setattr(devices, "QUICK_S", 0.3)
    threads: list[int] = []

    async def script(device: Device) -> None:
        for sort in "abacba":
            await device.run(Turn(), lambda: threads.append(get_ident()), 0.0, sort)
        assert [thread == get_ident() for thread in threads] == [
            False, False, True, False, False, False,
        ]  # fmt: skip

    on_device(1, script)


CHILD = textwrap.dedent("""
    import asyncio, json
    from real_runner.workers.device import Device, Turn
    async def main():
        device, turn = Device(1), Turn()
        holding = asyncio.create_task(device.run(turn, lambda: print("begun", flush=True), 1.0))
        await holding
        print(json.dumps((turn.end_ns - turn.start_ns) * 1e-9), flush=True)
        device.close()
    asyncio.run(main())
""")


@pytest.mark.parametrize("stopped_s", [0.0, 1.5])
def test_a_stopped_process_does_not_compute(stopped_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "begun\n"
        if stopped_s:
            time.sleep(0.3)
            child.send_signal(signal.SIGSTOP)
            time.sleep(stopped_s)
            child.send_signal(signal.SIGCONT)
        held = json.loads(child.stdout.readline())
    assert held == pytest.approx(1.0 + stopped_s, abs=SLACK_S)
