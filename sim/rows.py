"""The steps of a trace that ran, a row each, each beside the facts of its step.

What follows from plan and topology is worked out once per plan, not once per row. Rows are sorted
by request, in the order in which requests ended, and within a request by their end.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.columns import Column
from sim.critical import critical_steps
from sim.emissions import emitted_g
from sim.facts import step_facts
from sim.plan import Step
from sim.trace import HAS_FINISHED, NEVER_BEGUN, Columns, Trace
from topologies.carbon import CarbonIntensity

StepGrids = tuple[tuple[CarbonIntensity, float], ...]

WORDS: Final = ("kind", "stage", "node", "source", "target")
_TIMED: Final = ("request", "attempt", "step", "queued_s", "start_s", "end_s")
_FACTS: Final = ("bytes", "bytes_up", "bytes_down", "flops", "fixed_j", "fixed_usd", "power_w",
                 "usd_per_s")  # fmt: skip


class Rows:
    """The steps of ``trace`` that ran.

    ``columns`` has, by name, ``request``, ``attempt``, ``step``, ``queued_s``, ``start_s``,
    ``end_s`` and ``state`` as in `sim.trace.Columns`; ``plan_step``, the row's place in ``steps``;
    ``rank``, how many requests ended before its own; and what follows: ``tokens``, ``busy_s``,
    ``share`` (how much of the step came about), ``bytes``, ``bytes_up``, ``bytes_down``,
    ``flops``, ``energy_j``, ``cost_usd`` and ``carbon_g``.
    """

    def __init__(self, trace: Trace) -> None:
        self.steps: list[Step] = [step for plan in trace.plans for step in plan.steps]
        self._trace = trace
        self._facts = [step_facts(step, trace.topology) for step in self.steps]
        self._all = trace.columns()
        rank = self._ranks(self._all)
        begun = np.flatnonzero(self._all.state != NEVER_BEGUN)
        keys = (self._all.step, self._all.attempt, self._all.end_s, rank)
        self._order = begun[np.lexsort([key[begun] for key in keys])]
        self.columns = self._gathered(rank)

    def __len__(self) -> int:
        return len(self._order)

    def facts(self, name: str) -> list[Any]:
        """Return a fact of each of ``steps``; see `sim.facts.StepFacts`."""
        return [getattr(each, name) for each in self._facts]

    def words(self, name: str) -> Column:
        """Return one of `WORDS` of each row."""
        found = np.array(self.facts(name), dtype=object)
        return found[self.columns["plan_step"]]

    def critical(self) -> npt.NDArray[np.bool_]:
        """Tell for each row whether it is on the critical path of its plan."""
        columns = self._all
        critical = np.zeros(len(columns.step), dtype=np.bool_)
        queued_s, end_s = columns.queued_s.tolist(), columns.end_s.tolist()
        states = columns.state.tolist()
        starts = np.flatnonzero(columns.step == 0).tolist()
        ends = [*starts, len(states)][1:]
        for start, end in zip(starts, ends, strict=True):
            plan = self._trace.plans[columns.plan[start]]
            path = critical_steps(plan, queued_s[start:end], end_s[start:end], states[start:end])
            critical[[start + step for step in path]] = True
        return critical[self._order]

    def _ranks(self, columns: Columns) -> npt.NDArray[np.int64]:
        """Return for each step how many requests ended before its own."""
        outcomes = self._trace.outcomes
        places = {outcome.request.index: rank for rank, outcome in enumerate(outcomes)}
        present, inverse = np.unique(columns.request, return_inverse=True)
        ranks = [places.get(request, len(places)) for request in present.tolist()]
        return np.array(ranks, dtype=np.int64)[inverse]

    def _gathered(self, rank: npt.NDArray[np.int64]) -> dict[str, Column]:
        order = self._order
        plan_step = self._plan_step()[order]
        columns: dict[str, Column] = {name: getattr(self._all, name)[order] for name in _TIMED}
        columns |= {"plan_step": plan_step, "rank": rank[order], "state": self._all.state[order]}
        finished = columns["state"] == HAS_FINISHED
        planned = np.array([step.tokens for step in self.steps], dtype=np.int64)[plan_step]
        made = self._all.made[order]
        columns["tokens"] = np.where(made >= 0, made, planned) * finished
        return columns | self._charged(columns, finished, self._all.used[order])

    def _plan_step(self) -> npt.NDArray[np.int64]:
        sizes = np.array([len(plan.steps) for plan in self._trace.plans], dtype=np.int64)
        return (np.cumsum(sizes) - sizes)[self._all.plan] + self._all.step

    def _charged(
        self, columns: dict[str, Column], finished: Column, used: npt.NDArray[np.float64]
    ) -> dict[str, Column]:
        """Return what each step took of its device or route, and what follows from that."""
        plan_step = columns["plan_step"]
        fact = {name: np.array(self.facts(name), dtype=float)[plan_step] for name in _FACTS}
        computed = np.array([kind == "compute" for kind in self.facts("kind")], bool)[plan_step]
        usual = np.isnan(used)
        held_s = np.where(usual, columns["end_s"] - columns["start_s"], used)
        busy_s = np.where(computed, held_s, 0.0)
        size_bytes = np.where(fact["bytes"] > 0, fact["bytes"], np.inf)
        sent = np.where(usual, 0.0, used) / size_bytes
        share = np.where(finished, 1.0, np.where(computed, (busy_s > 0).astype(float), sent))
        return {
            "busy_s": busy_s,
            "share": share,
            **{name: fact[name] * share for name in ("bytes", "bytes_up", "bytes_down")},
            "flops": np.where(finished, fact["flops"], 0.0),
            "energy_j": fact["power_w"] * busy_s + fact["fixed_j"] * share,
            "cost_usd": fact["usd_per_s"] * busy_s + fact["fixed_usd"] * share,
            "carbon_g": self._carbon_g(columns, np.where(computed, busy_s, share)),
        }

    def _carbon_g(self, columns: dict[str, Column], factor: Column) -> Column:
        if not self._trace.topology.carbon:
            return np.full(len(factor), np.nan)
        grids: Sequence[StepGrids] = self.facts("grids")
        return emitted_g(grids, columns["plan_step"], factor, columns["start_s"], columns["end_s"])
