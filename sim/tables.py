"""Tables of a trace: a row per step, per request, and per request and node that saw something.

Every runner's traces pass through here, so simulated and real results share one schema and
comparing them is a join. What follows from plan and topology is worked out once per plan, not
once per record.
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.critical import critical_steps
from sim.exposure import Sight, fraction, sights, worst_coalition
from sim.facts import StepFacts, step_facts
from sim.plan import Step
from sim.trace import HAS_FINISHED, Columns, Outcome, Trace, in_order, outcome_words

STEP_COLUMNS = (
    "request", "replication", "attempt", "step", "kind", "stage", "node", "source", "target",
    "queued_s", "start_s", "end_s", "critical", "bytes", "flops", "energy_j", "outcome", "world",
)  # fmt: skip
REQUEST_COLUMNS = (
    "request", "replication", "origin", "arrival_s", "end_s", "latency_s", "outcome", "reason",
    "bytes_up", "bytes_down", "energy_j", "cost_usd", "pixels_max_node", "pixels_max_pair",
    "mixes", "world",
)  # fmt: skip
EXPOSURE_COLUMNS = (
    "request", "replication", "node", "provider", "received", "pixels", "mixes", "world",
)  # fmt: skip


class Tables:
    """The three tables of one trace; ``replication`` fills the column of that name."""

    def __init__(self, trace: Trace, replication: int = 0) -> None:
        self._trace = trace
        self._replication = replication
        self._outcomes = sorted(trace.outcomes, key=lambda outcome: outcome.request.index)
        self._plan_steps = [step for plan in trace.plans for step in plan.steps]
        columns = trace.columns()
        self._rows = self._gather(columns)
        self._seen_by, self._seen = self._look(columns)

    def steps(self) -> pd.DataFrame:
        """Return one row per record, in the order in which they ended; see `STEP_COLUMNS`."""
        return self._rows[list(STEP_COLUMNS)]

    def requests(self) -> pd.DataFrame:
        """Return one row per request, in the order of their indices; see `REQUEST_COLUMNS`."""
        table = pd.DataFrame(
            [(o.request.index, o.request.origin, o.request.arrival_s, o.end_s, o.latency_s,
              o.outcome, o.reason) for o in self._outcomes],
            columns=["request", "origin", "arrival_s", "end_s", "latency_s", "outcome", "reason"],
        )  # fmt: skip
        for column in ("bytes_up", "bytes_down", "energy_j", "cost_usd"):
            table[column] = np.bincount(
                self._rows["request"], weights=self._rows[column], minlength=len(table)
            )
        worst = pd.DataFrame(
            [_worst(sight, outcome) for sight, outcome in self._seen],
            columns=["pixels_max_node", "pixels_max_pair", "mixes"],
        )
        worst = worst.astype({"pixels_max_node": float, "pixels_max_pair": float, "mixes": bool})
        table[list(worst.columns)] = worst.take(self._seen_by).set_axis(table.index)
        return self._labelled(table)[list(REQUEST_COLUMNS)]

    def exposure(self) -> pd.DataFrame:
        """Return one row per request and untrusted node that received any of it.

        ``pixels`` is the fraction of the input that the node received directly; see
        `EXPOSURE_COLUMNS` and `sim.exposure`.
        """
        rows = [
            (kind, node, self._trace.topology.node(node).provider, "+".join(sorted(sight.tensors)),
             fraction(sight.parts, outcome.request.model.shard_fractions), sight.mixes)
            for kind, (seen, outcome) in enumerate(self._seen)
            for node, sight in seen.items()
        ]  # fmt: skip
        distinct = pd.DataFrame(
            rows, columns=["seen_by", "node", "provider", "received", "pixels", "mixes"]
        ).astype({"seen_by": int, "pixels": float, "mixes": bool})
        requests = pd.DataFrame(
            {"request": [o.request.index for o in self._outcomes], "seen_by": self._seen_by}
        )
        table = requests.merge(distinct, on="seen_by", how="inner").sort_values(
            "request", kind="stable", ignore_index=True
        )
        return self._labelled(table)[list(EXPOSURE_COLUMNS)]

    def _gather(self, columns: Columns) -> pd.DataFrame:
        """Return the steps that began as rows, each beside the facts of its step."""
        order = in_order(columns)
        rows = self._facts().take(self._plan_step(columns)[order]).reset_index(drop=True)
        for name in ("request", "attempt", "step", "queued_s", "start_s", "end_s"):
            rows[name] = getattr(columns, name)[order]
        rows["outcome"] = outcome_words(columns.state)[order]
        rows["critical"] = self._critical(columns)[order]
        held_s = np.where(rows["kind"] == "compute", rows["end_s"] - rows["start_s"], 0.0)
        arrived = columns.state[order] == HAS_FINISHED
        for name in ("bytes", "bytes_up", "bytes_down", "flops"):
            rows[name] = rows[name].where(arrived, 0.0)
        rows["energy_j"] = rows["power_w"] * held_s + rows["fixed_j"].where(arrived, 0.0)
        rows["cost_usd"] = rows["usd_per_s"] * held_s + rows["fixed_usd"].where(arrived, 0.0)
        return self._labelled(rows)

    def _facts(self) -> pd.DataFrame:
        """Return the facts of every step of every plan; `_plan_step` says which row is whose."""
        facts = pd.DataFrame(
            [asdict(step_facts(step, self._trace.topology)) for step in self._plan_steps],
            columns=list(StepFacts.__dataclass_fields__),
        )
        words = ("kind", "stage", "node", "source", "target")
        return facts.astype(dict.fromkeys(words, "category"))

    def _plan_step(self, columns: Columns) -> npt.NDArray[np.int64]:
        sizes = np.array([len(plan.steps) for plan in self._trace.plans], dtype=np.int64)
        return (np.cumsum(sizes) - sizes)[columns.plan] + columns.step

    def _critical(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Tell for each step whether it is on the critical path of its plan."""
        critical = np.zeros(len(columns.step), dtype=np.bool_)
        queued_s, end_s = columns.queued_s.tolist(), columns.end_s.tolist()
        states = columns.state.tolist()
        starts = np.flatnonzero(columns.step == 0).tolist()
        ends = [*starts, len(states)][1:]
        for start, end in zip(starts, ends, strict=True):
            plan = self._trace.plans[columns.plan[start]]
            path = critical_steps(plan, queued_s[start:end], end_s[start:end], states[start:end])
            critical[[start + step for step in path]] = True
        return critical

    def _look(
        self, columns: Columns
    ) -> tuple[npt.NDArray[np.int64], list[tuple[dict[str, Sight], Outcome]]]:
        """Work out what was seen of each request, once for all that ran the same steps.

        Returns, per request, the position of what was seen of it in the list that follows; each
        entry of the list has the first request it stands for beside it.
        """
        finished = np.flatnonzero(columns.state == HAS_FINISHED)
        plan_step, request = self._plan_step(columns)[finished], columns.request[finished]
        order = np.lexsort((plan_step, request))
        indices = [outcome.request.index for outcome in self._outcomes]
        bounds = np.searchsorted(request[order], indices)
        positions: dict[bytes, int] = {}
        seen: list[tuple[dict[str, Sight], Outcome]] = []
        seen_by = np.zeros(len(indices), dtype=np.int64)
        for place, part in enumerate(np.split(plan_step[order], bounds[1:])):
            key = part.tobytes()
            if key not in positions:
                positions[key] = len(seen)
                steps: Sequence[Step] = [self._plan_steps[position] for position in part]
                seen.append((sights(steps, self._trace.topology), self._outcomes[place]))
            seen_by[place] = positions[key]
        return seen_by, seen

    def _labelled(self, table: pd.DataFrame) -> pd.DataFrame:
        table["replication"] = self._replication
        table["world"] = self._trace.world
        return table


def _worst(seen: dict[str, Sight], outcome: Outcome) -> tuple[float, float, bool]:
    fractions = outcome.request.model.shard_fractions
    return (
        worst_coalition(seen.values(), fractions, 1),
        worst_coalition(seen.values(), fractions, 2),
        any(sight.mixes for sight in seen.values()),
    )
