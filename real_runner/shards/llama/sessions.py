"""What lies on a node of each text that it works on: the text itself, hidden states, caches."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from real_runner.errors import StepError
from real_runner.shards.llama.caches import Cache
from real_runner.shards.llama.lookup import Lookup
from real_runner.shards.llama.rows import Rows

Blocks = tuple[int, ...]


@dataclass(slots=True)
class Session:
    """One text on one node.

    ``answer`` follows the ``prompt``, ``guesses`` follow both until they are checked. ``caches``
    are by the layers they are of, ``rows`` by depth. ``drafted`` is the cache of a model that
    guesses. ``turn`` is had by whoever runs layers for it: a run that nobody waits for any more may
    go on beside the one that came of sending the text once more.
    """

    prompt: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    guesses: list[int] = field(default_factory=list)
    seed: int = 0
    caches: dict[Blocks, Cache] = field(default_factory=dict)
    rows: dict[int, Rows] = field(default_factory=dict)
    lookup: Lookup = field(default_factory=Lookup)
    drafted: Cache | None = None
    turn: AbstractContextManager[Any] = field(default_factory=RLock)

    def tokens(self, first: int, end: int) -> list[int]:
        """Return the tokens at positions [first, end), guesses behind what is known."""
        every = self.prompt + self.answer + self.guesses
        if end > len(every):
            raise StepError(f"token at position {len(every)} is not there; send prompt and answer")
        return every[first:end]

    @property
    def text(self) -> list[int]:
        """What is known of it: prompt and answer."""
        return self.prompt + self.answer

    def begin(self, prompt: list[int]) -> None:
        """Take a prompt; of another one than it has nothing stays that was made of that.

        After a loss prompt and answer are sent side by side, so the answer may be here already.
        """
        if self.prompt and prompt != self.prompt:
            self.answer.clear()
            self.guesses.clear()
            self.caches.clear()
            self.drafted = None
        self.prompt = prompt

    def write(self, place: int, tokens: list[int]) -> None:
        """Put chosen tokens where they belong in the answer, and forget what came after, guesses.

        Raises `StepError` where what comes before them is missing.
        """
        if place > len(self.answer) or place < 0:
            raise StepError(f"token {place} of the answer: only {len(self.answer)} are here")
        self.answer[place:] = tokens
        self.guesses.clear()

    @property
    def held_bytes(self) -> int:
        """What its caches take."""
        drafted = self.drafted.held_bytes if self.drafted else 0
        return drafted + sum(cache.held_bytes for cache in self.caches.values())


class Sessions:
    """All texts on a node; the caches of those not used for longest give way to a limit."""

    def __init__(self, limit_bytes: float) -> None:
        self._limit_bytes = limit_bytes
        self._sessions: OrderedDict[int, Session] = OrderedDict()
        self.lock = RLock()

    def of(self, job: int) -> Session:
        """Return a request's session, begun where there is none."""
        with self.lock:
            session = self._sessions.setdefault(job, Session())
            self._sessions.move_to_end(job)
            return session

    def forget(self, job: int) -> None:
        """Drop a session."""
        with self.lock:
            self._sessions.pop(job, None)

    @property
    def held_bytes(self) -> int:
        """What all caches take."""
        with self.lock:
            return sum(session.held_bytes for session in self._sessions.values())

    def keep_within_limit(self, jobs: set[int]) -> None:
        """Let caches give way until there is room, never those of ``jobs``."""
        with self.lock:
            over_bytes = self.held_bytes - self._limit_bytes
            for session in self._others(jobs):
                if over_bytes <= 0:
                    return
                over_bytes -= session.held_bytes
                session.caches.clear()
                session.drafted = None

    def _others(self, jobs: set[int]) -> Iterator[Session]:
        return (session for job, session in self._sessions.items() if job not in jobs)
