"""A worker's device: so many slots, first come, first served, each held for as long as it takes.

What is known to be quick is computed on the event loop itself: waking a thread for it, and the loop
when it is done, takes a good part of the time again, more where processors are scarce.

Whoever paces a device holds it for the time that a model says, less what the computation itself
took. The pace can change while a slot is held, as when a node turns slow.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf

from real_runner.executor import NOTHING, Made

NS = 1e-9

_TICK_S = 0.02
_STOPPED_S = 0.1
"""Whoever sleeps for so much longer than it wanted was stopped; a stopped device computes nothing,
so what it was modelled to do meanwhile is still to be done."""

QUICK_S = 0.005
"""The event loop may wait for a computation that takes no longer than this."""
STRETCH_S = 0.05
"""After so much quick work in a row the event loop has a turn. A text of a thousand quick tokens
would else be written without a pause, in which no sign of life is given and nothing is cancelled.
"""
_REMEMBERED = 4096

Hold = float | Callable[[], float]
"""How many seconds a slot is held at least; 0: as long as the work takes."""


@dataclass(slots=True)
class Turn:
    """When a step came, was taken up, and ended; 0 for what has not happened yet.

    ``computing`` says that it holds a slot of the device, which only it can give back; ``made`` is
    what its work returned, ``share`` its part of a slot that it held with others.
    """

    queued_ns: int = 0
    start_ns: int = 0
    end_ns: int = 0
    native_s: float = 0.0
    cancelled: bool = False
    computing: bool = False
    made: Made = NOTHING
    share: float = 1.0


class Device:
    """Runs one computation per slot, in threads of its own unless it is quick.

    Each of the threads calls ``prepare`` first; the event loop's is to have done so, too.
    """

    def __init__(self, slots: int, prepare: Callable[[], None] = lambda: None) -> None:
        self._free = asyncio.Semaphore(slots)
        self._threads = ThreadPoolExecutor(slots, "device", initializer=prepare)
        self._shortest = _Shortest()
        self._has_one_slot = slots == 1  # else they are to work side by side
        self._changed = threading.Condition()
        self._speed = 1.0
        self._stretch_s = 0.0

    async def run(
        self, turn: Turn, work: Callable[[], Made], hold_s: Hold, sort: Hashable = None
    ) -> None:
        """Do ``work`` once a slot is free, and hold it for ``hold_s`` at least.

        Where that is only known once the work is done, ``hold_s`` tells it then. Times are noted in
        ``turn``. One that is cancelled holds nothing once its work returns.
        Work of one ``sort`` takes equally long each time; None is no sort.
        """
        async with self._free:
            if self._stretch_s > STRETCH_S:
                self._stretch_s = 0.0
                await asyncio.sleep(0)
            if turn.cancelled:
                return
            turn.computing = True
            if not hold_s and self._is_quick(sort):
                self._occupy(turn, work, hold_s)
                self._stretch_s += turn.native_s
            else:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, self._occupy, turn, work, hold_s)
                self._stretch_s = 0.0
            self._shortest.note(sort, turn.native_s)

    def _is_quick(self, sort: Hashable) -> bool:
        is_free = self._has_one_slot and self._speed == 1
        return is_free and self._shortest.of(sort) <= QUICK_S

    def cancel(self, turn: Turn) -> None:
        """End a turn early, or before it begins."""
        with self._changed:
            turn.cancelled = True
            self._changed.notify_all()

    def set_speed(self, factor: float) -> None:
        """Let the device work at ``factor`` times its speed from now on."""
        with self._changed:
            self._speed = factor
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _occupy(self, turn: Turn, work: Callable[[], Made], hold_s: Hold) -> None:
        turn.start_ns, speed = time.monotonic_ns(), self._speed
        try:
            turn.made = work()
            turn.native_s = (time.monotonic_ns() - turn.start_ns) * NS
            modelled_s = hold_s() if callable(hold_s) else hold_s
            self._hold(turn, modelled_s or turn.native_s, speed)
        finally:
            turn.end_ns = time.monotonic_ns()

    def _hold(self, turn: Turn, work_s: float, speed: float) -> None:
        """Wait until ``work_s`` seconds of work at full speed have passed since the start.

        A computation that is not paced has done all of its work by now, unless the node is slow.
        """
        left_s, since_ns = work_s, turn.start_ns
        with self._changed:
            while not turn.cancelled:
                now_ns = time.monotonic_ns()
                left_s -= (now_ns - since_ns) * NS * speed
                since_ns, speed = now_ns, self._speed
                if left_s <= 0:
                    return
                self._changed.wait(min(left_s / speed, _TICK_S))
                asleep_s = (time.monotonic_ns() - now_ns) * NS - _TICK_S
                if asleep_s > _STOPPED_S:
                    since_ns += round(asleep_s / NS)


class _Shortest:
    """The least time that work of each of the sorts last seen has taken.

    What it took beyond that it waited for a processor, which it may have to do anywhere.
    """

    def __init__(self) -> None:
        self._times_s: OrderedDict[Hashable, float] = OrderedDict()

    def of(self, sort: Hashable) -> float:
        return self._times_s.get(sort, inf)

    def note(self, sort: Hashable, took_s: float) -> None:
        if sort is not None:
            self._times_s[sort] = min(took_s, self.of(sort))
            self._times_s.move_to_end(sort)
        if len(self._times_s) > _REMEMBERED:
            self._times_s.popitem(last=False)
