"""A plan under way in the simulator, and what its steps cost there."""

from math import isnan
from typing import final

from sim.course import Course, Kept
from sim.engine.servers.server import Job, Server, Turn
from sim.engine.transport import Handle, Transport
from sim.plan import Plan
from sim.policy import Progress
from workloads.stage import Request


@final
class Work:
    """A computation: the device that serves it, what it is there, and how it holds its slot.

    ``shares`` says that the device may give it less than a slot, or take it off, while it runs.
    ``most_tokens`` above 1: it checks guesses, and so many tokens may come of that.
    """

    __slots__ = ("device", "job", "most_tokens", "shares")

    def __init__(self, device: Server, job: Job, *, shares: bool, most_tokens: int = 0) -> None:
        self.device = device
        self.job = job
        self.shares = shares
        self.most_tokens = most_tokens


@final
class Haul:
    """A transfer: its ends, what it carries, and whether a codec writes it.

    ``fresh``: whether a new connection carries it.
    """

    __slots__ = ("coded", "fresh", "size_bytes", "source", "target")

    def __init__(
        self, source: str, target: str, size_bytes: float, *, coded: bool, fresh: bool
    ) -> None:
        self.source = source
        self.target = target
        self.size_bytes = size_bytes
        self.coded = coded
        self.fresh = fresh


@final
class Pause:
    """A wait: seconds in which nothing is asked of anybody."""

    __slots__ = ("delay_s",)

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s


Price = Work | Haul | Pause


@final
class Execution(Course):
    """A course in the simulator.

    ``priced`` says what each step costs here, ``handles`` what runs, ``pauses`` the clock's tickets
    for waits under way, ``moved_bytes`` how much of a transfer that was stopped had arrived. It is
    ``over`` once its request was given up.
    """

    __slots__ = ("cancels", "handles", "moved_bytes", "over", "pauses", "priced")

    def __init__(
        self,
        request: Request,
        plan: Plan,
        priced: list[Price],
        progress: Progress,
        kept: Kept,
    ) -> None:
        super().__init__(request, plan, progress, kept)
        self.cancels = plan.cancels
        self.priced = priced
        self.handles: dict[int, Turn | Handle] = {}
        self.pauses: dict[int, int] = {}
        self.moved_bytes: dict[int, float] = {}
        self.over = False

    def halt(self, index: int, handle: Handle, transport: Transport) -> bool:
        """Stop a transfer and note how much of it has arrived; return false if it was over."""
        price = self.priced[index]
        left_bytes = transport.left_bytes(handle)
        stopped = transport.cancel(handle)
        if stopped and isinstance(price, Haul):
            self.moved_bytes[index] = price.size_bytes - left_bytes
        return stopped

    def began_s(self, index: int, now_s: float) -> float:
        """Return when a step that stops now was taken up; now, where it was still waiting."""
        handle = self.handles.get(index)
        if handle is None:
            return now_s
        if not isinstance(handle, Turn):
            return self.queued_s[index]
        return now_s if isnan(handle.start_s) else handle.start_s

    def used(self) -> dict[int, float]:
        """Return what steps took where their times do not tell.

        That is the slot-seconds of computations that did not simply hold a slot, and the bytes
        that had arrived of transfers that were stopped.
        """
        used = dict(self.moved_bytes)
        for index, handle in self.handles.items():
            price = self.priced[index]
            if isinstance(handle, Turn) and isinstance(price, Work) and price.shares:
                used[index] = handle.held_s
        return used
