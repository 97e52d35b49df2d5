"""The trace: what every runner leaves, and the only thing that questions are asked of.

A runner adds what became of each plan it executed and one `Outcome` per request, nothing else.
Sizes, work, energy and exposure follow from the plan's steps and the topology (see `sim.tables`
and `sim.exposure`), so that no two runners can disagree on what they mean.

Times are kept in columns, a few dozen bytes per step; `Record` is one step's row of them.
"""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.plan import Plan
from topologies.topology import Topology
from workloads.stage import Request

FINISHED: Final = "finished"
CANCELLED: Final = "cancelled"

NEVER_BEGUN, HAS_FINISHED, WAS_CANCELLED = range(3)
"""States of a step, as columns hold them; what never began leaves no record."""

_OUTCOMES = ("", FINISHED, CANCELLED)


class Record(NamedTuple):
    """One step of one request; times in seconds since the start of the run.

    ``attempt`` counts the plans of its request from 0. ``queued_s`` is when the step could have
    begun, ``start_s`` when its device or link took it up, ``end_s`` when its result was there
    (or when it was cancelled).
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


class Columns(NamedTuple):
    """All steps of all plans executed, one entry each: plan by plan, in the order of the steps.

    ``plan`` indexes `Trace.plans`; ``execution`` counts the plans executed; ``state`` is one of
    `NEVER_BEGUN`, `HAS_FINISHED`, `WAS_CANCELLED`.
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


class Trace:
    """All that happened in one run of one replication; ``world`` is ``sim`` or ``real``.

    ``busy_s`` per node and ``carried_bytes`` per channel are the runner's own integrals, kept to
    check the records against; ``end_s`` is the length of the run.
    """

    def __init__(self, world: str, topology: Topology) -> None:
        self.world = world
        self.topology = topology
        self.plans: list[Plan] = []
        self.outcomes: list[Outcome] = []
        self.busy_s: dict[str, float] = {}
        self.carried_bytes: tuple[float, ...] = ()
        self.end_s = 0.0
        self._numbers: dict[Plan, int] = {}
        self._heads = array("q")
        self._times = (array("d"), array("d"), array("d"))
        self._states = bytearray()

    def add(
        self,
        request: int,
        attempt: int,
        plan: Plan,
        queued_s: Sequence[float],
        start_s: Sequence[float],
        end_s: Sequence[float],
        states: bytes | bytearray,
    ) -> None:
        """Add one executed plan; the sequences have one entry per step, whatever became of it."""
        number = self._numbers.get(plan)
        if number is None:
            number = self._numbers[plan] = len(self.plans)
            self.plans.append(plan)
        self._heads.extend((request, attempt, number))
        for column, times in zip(self._times, (queued_s, start_s, end_s), strict=True):
            column.extend(times)
        self._states += states

    def columns(self) -> Columns:
        """Return everything added so far."""
        heads = np.array(self._heads, dtype=np.int64).reshape(-1, 3)
        sizes = np.array([len(plan.steps) for plan in self.plans], dtype=np.int64)[heads[:, 2]]
        execution = np.repeat(np.arange(len(heads)), sizes)
        first = np.cumsum(sizes) - sizes
        request, attempt, plan = heads[execution].T
        queued_s, start_s, end_s = (np.array(times, dtype=np.float64) for times in self._times)
        return Columns(
            execution=execution,
            request=request,
            attempt=attempt,
            plan=plan,
            step=np.arange(len(execution)) - first[execution],
            queued_s=queued_s,
            start_s=start_s,
            end_s=end_s,
            state=np.array(self._states, dtype=np.uint8),
        )

    @property
    def records(self) -> list[Record]:
        """Every step that began, in the order in which they ended."""
        columns = self.columns()
        order = in_order(columns)
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        return [
            Record(request, attempt, self.plans[plan], step, queued, start, end, _OUTCOMES[state])
            for _, request, attempt, plan, step, queued, start, end, state in rows
        ]


def in_order(columns: Columns) -> npt.NDArray[np.int64]:
    """Return the positions of the steps that began, sorted by their end, then by request."""
    begun = np.flatnonzero(columns.state != NEVER_BEGUN)
    keys = (columns.step, columns.attempt, columns.request, columns.end_s)
    return begun[np.lexsort([key[begun] for key in keys])]


def outcome_words(states: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    """Return the words for states, as records have them."""
    return np.array(_OUTCOMES)[states]
