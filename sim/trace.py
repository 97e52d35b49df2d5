"""The trace: what every runner leaves, and the only thing that questions are asked of.

A runner adds what became of each plan it executed and one `Outcome` per request, nothing else.
Sizes, work, energy and exposure follow from the plan's steps and the topology (see `sim.tables`
and `sim.exposure`), so that no two runners can disagree on what they mean.

Times are kept in columns, a few dozen bytes per step; `Record` is one step's row of them. A long
run gives its trace away in chunks, to a `Sink`, so that it needs no more memory than a short one.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.plan import Plan
from topologies.topology import Topology
from workloads.stage import Request

FINISHED: Final = "finished"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"
FAILED: Final = "failed"
REFUSED: Final = "refused"
"""How steps and requests end. A step is cancelled when nobody needs it any more, lost to a fault;
a request is refused when no plan can serve it, failed when its plans were lost too often."""

NEVER_BEGUN: Final = 0
HAS_FINISHED: Final = 1
WAS_CANCELLED: Final = 2
WAS_LOST: Final = 3
"""States of a step, as columns hold them; what never began leaves no record."""

_OUTCOMES = ("", FINISHED, CANCELLED, LOST)


class Record(NamedTuple):
    """One step of one request; times in seconds since the start of the run.

    ``attempt`` counts the plans of its request from 0. ``queued_s`` is when the step could have
    begun, ``start_s`` when its device or link took it up, ``end_s`` when its result was there
    (or when it was cancelled or lost).
    """

    request: int
    attempt: int
    plan: Plan
    step: int
    queued_s: float
    start_s: float
    end_s: float
    outcome: str


class Outcome(NamedTuple):
    """How one request ended; ``reason`` is empty where it finished."""

    request: Request
    end_s: float
    outcome: str
    reason: str

    @property
    def latency_s(self) -> float:
        """Seconds from arrival to end."""
        return self.end_s - self.request.arrival_s


class Incident(NamedTuple):
    """Something that befell ``target``, a node or a link, ``at_s`` seconds into the run.

    ``kind`` is that of the fault, or the runner's own word for what it noticed; ``detail`` says
    more where there is more to say, e.g. ``factor 0.5``.
    """

    at_s: float
    target: str
    kind: str
    detail: str


class Columns(NamedTuple):
    """All steps of all plans executed, one entry each: plan by plan, in the order of the steps.

    ``plan`` indexes `Trace.plans`; ``execution`` counts the plans executed; ``state`` is one of
    `NEVER_BEGUN`, `HAS_FINISHED`, `WAS_CANCELLED`, `WAS_LOST`. ``used`` is what the step took of
    its device (seconds of one slot) or sent over its route (bytes), where the runner said so; it
    is NaN where that follows from the rest of the row (see `Trace.add`). ``made`` are the tokens of
    an answer that the step made or brought, -1 where the plan tells how many.
    """

    execution: npt.NDArray[np.int64]
    request: npt.NDArray[np.int64]
    attempt: npt.NDArray[np.int64]
    plan: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    queued_s: npt.NDArray[np.float64]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    state: npt.NDArray[np.uint8]
    used: npt.NDArray[np.float64]
    made: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sink:
    """Who takes a trace in chunks while it grows.

    ``take`` is given each chunk, a trace of its own: requests that have ended, in the order in
    which they ended, each with all of its steps. A chunk is due once ``steps`` steps or more have
    come together; the last one is smaller. Chunks know nothing of ``busy_s``, ``off_s``,
    ``carried_bytes``, ``incidents`` and ``end_s``, which the trace of the whole run keeps.
    """

    take: Callable[["Trace"], object]
    steps: int = 100_000


Integers = npt.NDArray[np.int64]

_AS_USUAL: Mapping[int, float] = MappingProxyType({})
_AS_PLANNED: Mapping[int, int] = MappingProxyType({})


class Trace:
    """All that happened in one run of one replication; ``world`` is ``sim`` or ``real``.

    ``busy_s`` per node (seconds of its slots) and ``carried_bytes`` per channel are the runner's
    own integrals, kept to check the records against. ``off_s`` says for how long a node drew no
    power at all, where it was off for a while; ``incidents`` are what went wrong, in the order of
    time; ``end_s`` is the length of the run.
    """

    def __init__(self, world: str, topology: Topology, sink: Sink | None = None) -> None:
        self.world = world
        self.topology = topology
        self.outcomes: list[Outcome] = []
        self.busy_s: dict[str, float] = {}
        self.off_s: dict[str, float] = {}
        self.carried_bytes: tuple[float, ...] = ()
        self.incidents: list[Incident] = []
        self.end_s = 0.0
        self._store = _Store()
        self._sink = sink
        self._due = sink.steps if sink else 0

    @property
    def plans(self) -> list[Plan]:
        """The plans that were executed, each once."""
        return self._store.plans

    def add(  # noqa: PLR0913, PLR0917 - one per column
        self,
        request: int,
        attempt: int,
        plan: Plan,
        queued_s: list[float],
        start_s: list[float],
        end_s: list[float],
        states: bytes | bytearray,
        used: Mapping[int, float] = _AS_USUAL,
        made: Mapping[int, int] = _AS_PLANNED,
    ) -> None:
        """Add one executed plan; the lists have one entry per step, whatever became of it.

        ``used`` tells by step what it took where that is something else than usual. Usual is,
        for a computation, one slot from its start to its end; for a transfer that finished, all
        of its bytes, for any other none. ``made`` tells the tokens that steps made which could
        have made several.
        """
        store = self._store
        before = len(store.states)
        for step, tokens in made.items():
            store.made[before + step] = tokens
        store.heads.extend((request, attempt, store.number(plan)))
        store.queued_s.fromlist(queued_s)
        store.start_s.fromlist(start_s)
        store.end_s.fromlist(end_s)
        store.states += states
        took = array("d", (nan,)) * len(states)
        for step, amount in used.items():
            took[step] = amount
        store.used.extend(took)

    def end(self, outcome: Outcome) -> None:
        """Note that a request has ended; all of its plans have been added before."""
        self.outcomes.append(outcome)
        if self._sink is not None and len(self._store.states) >= self._due:
            self.hand_over()

    def hand_over(self) -> None:
        """Give all requests that have ended to the sink, where there is one, and forget them."""
        if self._sink is None or not self.outcomes:
            return
        chunk = Trace(self.world, self.topology)
        chunk.outcomes, self.outcomes = self.outcomes, []
        chunk._store, self._store = self._store.split({o.request.index for o in chunk.outcomes})
        self._due = len(self._store.states) + self._sink.steps
        self._sink.take(chunk)

    def columns(self) -> Columns:
        """Return everything added so far."""
        store = self._store
        request, attempt, plan = store.head_columns()
        sizes = store.sizes(plan)
        execution = np.repeat(np.arange(len(plan)), sizes)
        first = np.cumsum(sizes) - sizes
        return Columns(
            execution=execution,
            request=request[execution],
            attempt=attempt[execution],
            plan=plan[execution],
            step=np.arange(len(execution)) - first[execution],
            queued_s=np.array(store.queued_s, dtype=np.float64),
            start_s=np.array(store.start_s, dtype=np.float64),
            end_s=np.array(store.end_s, dtype=np.float64),
            state=np.array(store.states, dtype=np.uint8),
            used=np.array(store.used, dtype=np.float64),
            made=store.made_column(),
        )

    @property
    def records(self) -> list[Record]:
        """Every step that began, in the order in which they ended."""
        columns = self.columns()
        order = in_order(columns)
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        return [
            Record(request, attempt, self.plans[plan], step, queued, start, end, _OUTCOMES[state])
            for _, request, attempt, plan, step, queued, start, end, state, _, _ in rows
        ]


class _Store:
    """Executed plans in columns: three heads per plan, the other entries per step."""

    __slots__ = (
        "_numbers", "end_s", "heads", "made", "plans", "queued_s", "start_s", "states", "used",
    )  # fmt: skip

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self._numbers: dict[Plan, int] = {}
        self.heads = array("q")
        self.queued_s = array("d")
        self.start_s = array("d")
        self.end_s = array("d")
        self.used = array("d")
        self.states = bytearray()
        self.made: dict[int, int] = {}

    def number(self, plan: Plan) -> int:
        """Return the place of ``plan`` in ``plans``, to which it is added where it is new."""
        number = self._numbers.get(plan)
        if number is None:
            number = self._numbers[plan] = len(self.plans)
            self.plans.append(plan)
        return number

    def head_columns(self) -> tuple[Integers, Integers, Integers]:
        """Return request, attempt and plan of each execution."""
        request, attempt, plan = np.array(self.heads, dtype=np.int64).reshape(-1, 3).T
        return request, attempt, plan

    def sizes(self, plans: Integers) -> Integers:
        """Return how many steps each of these plans has."""
        return np.array([len(plan.steps) for plan in self.plans], dtype=np.int64)[plans]

    def made_column(self) -> Integers:
        """Return the tokens that each step made, -1 where that is as planned."""
        made = np.full(len(self.states), -1, dtype=np.int64)
        made[list(self.made)] = list(self.made.values())
        return made

    def split(self, requests: set[int]) -> tuple["_Store", "_Store"]:
        """Return one with the executions for these requests, and one with all others."""
        closed = np.isin(self.head_columns()[0], np.array(sorted(requests), dtype=np.int64))
        if closed.all():
            return self, _Store()
        return self._part(closed), self._part(~closed)

    def _part(self, chosen: npt.NDArray[np.bool_]) -> "_Store":
        part = _Store()
        request, attempt, plan = self.head_columns()
        for head in np.flatnonzero(chosen).tolist():
            number = part.number(self.plans[plan[head]])
            part.heads.extend((int(request[head]), int(attempt[head]), number))
        rows = np.repeat(chosen, self.sizes(plan))
        for name in ("queued_s", "start_s", "end_s", "used"):
            column = np.asarray(getattr(self, name))
            setattr(part, name, array("d", column[rows].tobytes()))
        part.states = bytearray(np.frombuffer(bytes(self.states), np.uint8)[rows].tobytes())
        made = self.made_column()[rows]
        part.made = {place: int(made[place]) for place in np.flatnonzero(made >= 0).tolist()}
        return part


def in_order(columns: Columns) -> npt.NDArray[np.int64]:
    """Return the positions of the steps that began, sorted by their end, then by request."""
    begun = np.flatnonzero(columns.state != NEVER_BEGUN)
    keys = (columns.step, columns.attempt, columns.request, columns.end_s)
    return begun[np.lexsort([key[begun] for key in keys])]


def outcome_words(states: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    """Return the words for states, as records have them."""
    return np.array(_OUTCOMES)[states]
