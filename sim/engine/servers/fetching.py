"""Cold starts over the network: weights that another node sends before a job may be served.

A job that needs weights which are not resident waits for them without holding a slot, so that
others may be served meanwhile. What is on its way is not asked for again. The transfers share the
network like any other: they are flows of the world's transport.
"""

from collections.abc import Callable
from math import inf
from typing import Any, Protocol, TypeVar, final

from sim.engine.clock import Clock
from sim.engine.servers.memory import Memory
from sim.engine.servers.server import Job, RefusedError, Server, Turn

T = TypeVar("T")


class Carrier(Protocol):
    """How weights come to one node from another: `sim.engine.transport` with the ends filled in."""

    def send(self, size_bytes: float, done: Callable[[Any], None], argument: Any) -> Any:
        """Begin a transfer; ``done(argument)`` is called once it has arrived."""

    def cancel(self, handle: Any) -> object:
        """Stop what `send` returned."""

    def stall(self, handle: Any) -> None:
        """Let nothing of it pass until it is released."""

    def release(self, handle: Any) -> None:
        """Let it go on."""


@final
class _Visit(Turn):
    """A job that waits for ``missing`` sets of weights, then has a turn of its own, ``inner``."""

    __slots__ = ("inner", "missing")

    def __init__(
        self, now_s: float, job: Job, done: Callable[[Any, float], None], argument: Any
    ) -> None:
        super().__init__(now_s, job, done, argument)
        self.inner: Turn | None = None
        self.missing = 0

    def settle(self) -> None:
        """Take over what became of its turn."""
        if self.inner is not None:
            self.start_s = self.inner.start_s
            self.end_s = self.inner.end_s
            self.held_s = self.inner.held_s


@final
class _Load:
    """A set of weights on its way, and those who wait for it."""

    __slots__ = ("handle", "name", "size_bytes", "visits")

    def __init__(self, name: str, size_bytes: float) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.visits: list[_Visit] = []
        self.handle: Any = None


class Fetcher(Server):
    """A ``server`` whose ``memory`` is filled over the network by ``carrier``.

    At most ``limit`` jobs are in the system at once. A job that is cancelled leaves what it waited
    for on its way.
    """

    def __init__(
        self,
        clock: Clock,
        server: Server,
        memory: Memory,
        carrier: Carrier,
        limit: float = inf,
    ) -> None:
        self._clock = clock.agenda
        self._server = server
        self._memory = memory
        self._carrier = carrier
        self._limit = limit
        self._hangs = False
        self._loads: dict[str, _Load] = {}
        self._pending: dict[_Visit, None] = {}

    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; see `Server.submit`."""
        if not self._server.up:
            raise RefusedError("the device is down; submit once it has recovered")
        if self.waiting + self.running >= self._limit:
            raise RefusedError(f"the device is full: it takes {self._limit:.0f} jobs at once")
        visit = _Visit(self._clock.now, job, done, argument)
        missing = [(name, size) for name, size in job.weights if not self._memory.holds(name)]
        if not missing:
            self._serve(visit)
            return visit
        visit.missing = len(missing)
        self._pending[visit] = None
        for name, size_bytes in missing:
            (self._loads.get(name) or self._load(name, size_bytes)).visits.append(visit)
        return visit

    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out; see `Server.cancel`."""
        assert isinstance(turn, _Visit)  # noqa: S101 - for mypy; there are no others here
        if turn in self._pending:
            self._forget(turn)
            return True
        stopped = turn.inner is not None and self._server.cancel(turn.inner)
        turn.settle()
        return stopped

    def fail(self) -> list[Any]:
        """Go down; see `Server.fail`."""
        lost = [*self._server.fail(), *self._pending]
        for load in self._loads.values():
            self._carrier.cancel(load.handle)
        self._loads.clear()
        self._pending.clear()
        self._hangs = False
        for visit in lost:
            visit.settle()
        return [visit.argument for visit in lost]

    def recover(self) -> None:
        """Come up again; see `Server.recover`."""
        self._server.recover()

    def hang(self) -> None:
        """Stand still; see `Server.hang`."""
        self._server.hang()
        if self._server.up and not self._hangs:
            self._hangs = True
            for load in self._loads.values():
                self._carrier.stall(load.handle)

    def resume(self) -> None:
        """Go on; see `Server.resume`."""
        self._server.resume()
        if self._hangs:
            self._hangs = False
            for load in self._loads.values():
                self._carrier.release(load.handle)

    def set_speed(self, factor: float) -> None:
        """Serve at ``factor`` times full speed from now on; see `Server.set_speed`."""
        self._server.set_speed(factor)

    @property
    def up(self) -> bool:
        """Whether the server is not down."""
        return self._server.up

    @property
    def waiting(self) -> int:
        """Jobs submitted that are not in service, those that wait for weights included."""
        return self._server.waiting + len(self._pending)

    @property
    def running(self) -> int:
        """Jobs in service."""
        return self._server.running

    @property
    def backlog_s(self) -> float:
        """Slot-seconds at full speed still owed to all jobs, weights on their way not counted."""
        pending_s = sum((visit.job.service_s for visit in self._pending), 0.0)
        return self._server.backlog_s + pending_s

    @property
    def busy_s(self) -> float:
        """Slot-seconds taken so far, except by jobs of others."""
        return self._server.busy_s

    def _load(self, name: str, size_bytes: float) -> _Load:
        load = self._loads[name] = _Load(name, size_bytes)
        load.handle = self._carrier.send(size_bytes, self._arrived, load)
        if self._hangs:
            self._carrier.stall(load.handle)
        return load

    def _arrived(self, load: _Load) -> None:
        del self._loads[load.name]
        self._memory.place(load.name, load.size_bytes)
        for visit in load.visits:
            visit.missing -= 1
            if visit.missing == 0:
                del self._pending[visit]
                self._serve(visit)

    def _serve(self, visit: _Visit) -> None:
        visit.inner = self._server.submit(visit.job, self._done, visit)

    def _done(self, visit: _Visit, start_s: float) -> None:
        visit.settle()
        visit.done(visit.argument, start_s)

    def _forget(self, visit: _Visit) -> None:
        """Let nobody wait for weights in the name of a job that is gone."""
        del self._pending[visit]
        visit.end_s = self._clock.now
        for load in self._loads.values():
            if visit in load.visits:
                load.visits.remove(visit)
