"""What a device is to the engine (`Server`), what it is asked to do (`Job`), and a job's `Turn`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, TypeVar

T = TypeVar("T")

_NEVER_YET: Final = float("nan")

Weights = tuple[tuple[str, float], ...]
"""Sets of weights that a job needs resident: name and bytes of each."""


@dataclass(frozen=True)
class Job:
    """One computation as a server sees it: ``service_s`` seconds of one slot at full speed.

    A higher ``priority`` goes first where the discipline has priorities. ``weights`` must be
    resident and ``working_bytes`` free while it runs, where the server has a memory. Jobs of the
    same ``kind`` of at least 0 may be served together where the server makes batches:
    ``batch_s[n - 1]`` is then the service time of n of them, for as many as fit. A job
    ``of_others`` is another tenant's: it occupies the server, but counts neither as busy time nor
    as a loss.
    """

    service_s: float
    priority: int = 0
    weights: Weights = ()
    working_bytes: float = 0.0
    kind: int = -1
    batch_s: tuple[float, ...] = ()
    of_others: bool = False


class Turn:
    """One job's place at a server: waiting, then in service, then done, cancelled or lost.

    ``queued_s`` is when it was submitted, ``start_s`` when its service began (NaN until then),
    ``end_s`` when it ended or, where that is known in advance, will end. ``held_s`` is the
    slot-seconds it took, its share where slots are shared, and while the server hung too; these
    add up to the server's ``busy_s`` over all turns that have ended.
    """

    __slots__ = ("argument", "done", "end_s", "held_s", "job", "queued_s", "start_s", "ticket")

    def __init__(
        self, queued_s: float, job: Job, done: Callable[[Any, float], None], argument: Any
    ) -> None:
        self.queued_s = queued_s
        self.job = job
        self.start_s = _NEVER_YET
        self.end_s = _NEVER_YET
        self.held_s = 0.0
        self.done = done
        self.argument = argument
        self.ticket = -1


class RefusedError(Exception):
    """A job that the server does not take: it is down, or full."""


class Server(ABC):
    """A device that serves jobs. An abstract class, not a protocol: compiled calls are direct."""

    @abstractmethod
    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; ``done(argument, start_s)`` is called at its end.

        Raises `RefusedError` where the server is down or full, and ``ValueError`` for a job that
        could never be served.
        """

    @abstractmethod
    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out, waiting or in service; return false if it was neither.

        ``done`` is not called. What becomes free serves the next job at once.
        """

    @abstractmethod
    def fail(self) -> list[Any]:
        """Go down; return the arguments of the jobs lost by it: in service, then waiting.

        Their ``done`` is not called. A server that is down takes no job until `recover`.
        """

    @abstractmethod
    def recover(self) -> None:
        """Come up again, empty and cold, at the speed last set."""

    @abstractmethod
    def hang(self) -> None:
        """Stand still: jobs in service keep their slots, but none progresses and none begins."""

    @abstractmethod
    def resume(self) -> None:
        """Go on where it stood when it began to `hang`; nothing happens where it does not."""

    @abstractmethod
    def set_speed(self, factor: float) -> None:
        """Serve at ``factor`` times full speed from now on, jobs in service included.

        Raises ``ValueError`` when ``factor`` is not finite and above 0.
        """

    @property
    @abstractmethod
    def up(self) -> bool:
        """Whether the server is not down."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Jobs submitted that are not in service."""

    @property
    @abstractmethod
    def running(self) -> int:
        """Jobs in service."""

    @property
    @abstractmethod
    def backlog_s(self) -> float:
        """Slot-seconds of service at full speed still owed to all jobs."""

    @property
    @abstractmethod
    def busy_s(self) -> float:
        """Slot-seconds taken so far by jobs, except those of others; lost ones included."""


def require_service(service_s: float) -> None:
    """Raise ``ValueError`` unless ``service_s`` is a number of at least 0."""
    if not service_s >= 0.0:
        raise ValueError(f"service_s is {service_s}, but must be at least 0")


def require_speed(factor: float) -> None:
    """Raise ``ValueError`` unless ``factor`` is finite and above 0."""
    if not 0.0 < factor < inf:
        raise ValueError(f"factor is {factor}, but must be finite and above 0")


def require_slots(slots: int) -> None:
    """Raise ``ValueError`` unless there is a slot."""
    if slots < 1:
        raise ValueError(f"slots is {slots}, but a device needs at least 1")
