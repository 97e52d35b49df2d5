"""A plan under way in the simulator, and what its steps cost there."""

from math import isnan
from typing import final

from sim.engine.servers.server import Job, Server, Turn
from sim.engine.transport import Handle, Transport
from sim.plan import Plan, Step
from sim.policy import Progress
from sim.trace import HAS_FINISHED, WAS_LOST
from sim.walk import Walk
from workloads.stage import Request


@final
class Work:
    """A computation: the device that serves it, what it is there, and how it holds its slot.

    ``shares`` says that the device may give it less than a slot, or take it off, while it runs.
    """

    __slots__ = ("device", "job", "shares")

    def __init__(self, device: Server, job: Job, *, shares: bool) -> None:
        self.device = device
        self.job = job
        self.shares = shares


@final
class Haul:
    """A transfer: its ends, what it carries, and whether a new connection does."""

    __slots__ = ("fresh", "size_bytes", "source", "target")

    def __init__(self, source: str, target: str, size_bytes: float, *, fresh: bool) -> None:
        self.source = source
        self.target = target
        self.size_bytes = size_bytes
        self.fresh = fresh


class Execution:
    """One plan being executed for one request; the lists have one entry per step.

    ``kept`` are the finished steps of earlier plans, each with its end.
    """

    __slots__ = (
        "cancels", "end_s", "handles", "kept", "moved_bytes", "plan", "priced", "progress",
        "queued_s", "request", "start_s", "states", "walk",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        plan: Plan,
        priced: list[Work | Haul],
        progress: Progress,
        kept: tuple[tuple[Step, float], ...],
    ) -> None:
        steps = len(plan.steps)
        self.request = request
        self.plan = plan
        self.cancels = plan.cancels
        self.priced = priced
        self.progress = progress
        self.walk = Walk(plan)
        self.queued_s = [0.0] * steps
        self.start_s = [0.0] * steps
        self.end_s = [0.0] * steps
        self.states = bytearray(steps)
        self.handles: dict[int, Turn | Handle] = {}
        self.kept = kept
        self.moved_bytes: dict[int, float] = {}

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

    def finished(self) -> tuple[tuple[Step, float], ...]:
        """Return the finished steps of this plan and of those before, each with its end."""
        own = zip(self.plan.steps, self.end_s, self.states, strict=True)
        return self.kept + tuple(
            (step, end_s) for step, end_s, state in own if state == HAS_FINISHED
        )

    def lost(self) -> tuple[Step, ...]:
        """Return the steps of this plan that were lost."""
        own = zip(self.plan.steps, self.states, strict=True)
        return tuple(step for step, state in own if state == WAS_LOST)
