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
from sim.plan import Plan, Step
from sim.trace import FINISHED, Outcome, Record, Trace

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
        plans = list(dict.fromkeys(record.plan for record in trace.records))
        self._plan_steps = [step for plan in plans for step in plan.steps]
        self._rows = self._gather(_offsets(plans))
        self._seen_by, self._seen = self._look()

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
        ).take(self._seen_by)
        table[list(worst.columns)] = worst.set_axis(table.index)
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
        )
        requests = pd.DataFrame(
            {"request": [o.request.index for o in self._outcomes], "seen_by": self._seen_by}
        )
        table = requests.merge(distinct, on="seen_by", how="inner").sort_values(
            "request", kind="stable", ignore_index=True
        )
        return self._labelled(table)[list(EXPOSURE_COLUMNS)]

    def _gather(self, offsets: dict[Plan, int]) -> pd.DataFrame:
        """Return the records as columns, each beside the facts of its step."""
        records = self._trace.records
        facts = pd.DataFrame(
            [asdict(step_facts(step, self._trace.topology)) for step in self._plan_steps],
            columns=list(StepFacts.__dataclass_fields__),
        )
        for column in ("kind", "stage", "node", "source", "target"):
            facts[column] = facts[column].astype("category")
        plan_step = np.array([offsets[r.plan] + r.step for r in records], dtype=np.int64)
        rows = facts.take(plan_step).reset_index(drop=True)
        rows["plan_step"] = plan_step
        for column in ("request", "attempt", "step", "queued_s", "start_s", "end_s", "outcome"):
            rows[column] = [getattr(record, column) for record in records]
        rows["critical"] = self._critical()
        held_s = np.where(rows["kind"] == "compute", rows["end_s"] - rows["start_s"], 0.0)
        arrived = rows["outcome"] == FINISHED
        for column in ("bytes", "bytes_up", "bytes_down", "flops"):
            rows[column] = rows[column].where(arrived, 0.0)
        rows["energy_j"] = rows["power_w"] * held_s + rows["fixed_j"].where(arrived, 0.0)
        rows["cost_usd"] = rows["usd_per_s"] * held_s + rows["fixed_usd"].where(arrived, 0.0)
        return self._labelled(rows)

    def _critical(self) -> npt.NDArray[np.bool_]:
        """Tell for each record whether its step is on the critical path of its plan."""
        plans: dict[tuple[int, int], dict[int, tuple[int, Record]]] = {}
        for row, record in enumerate(self._trace.records):
            if record.outcome == FINISHED:
                plans.setdefault((record.request, record.attempt), {})[record.step] = (row, record)
        critical = np.zeros(len(self._trace.records), dtype=np.bool_)
        for numbered in plans.values():
            records = {step: record for step, (_, record) in numbered.items()}
            plan = next(iter(records.values())).plan
            for step in critical_steps(plan, records):
                critical[numbered[step][0]] = True
        return critical

    def _look(self) -> tuple[npt.NDArray[np.int64], list[tuple[dict[str, Sight], Outcome]]]:
        """Work out what was seen of each request, once for all that ran the same steps.

        Returns, per request, the position of what was seen of it in the list that follows; each
        entry of the list has the first request it stands for beside it.
        """
        finished = self._rows[self._rows["outcome"] == FINISHED]
        ordered = finished.sort_values(["request", "plan_step"], kind="stable")
        bounds = np.searchsorted(
            ordered["request"], [outcome.request.index for outcome in self._outcomes], "left"
        )
        parts = np.split(ordered["plan_step"].to_numpy(), bounds[1:])
        positions: dict[bytes, int] = {}
        seen: list[tuple[dict[str, Sight], Outcome]] = []
        for part, outcome in zip(parts, self._outcomes, strict=True):
            key = part.tobytes()
            if key not in positions:
                positions[key] = len(seen)
                steps: Sequence[Step] = [self._plan_steps[position] for position in part]
                seen.append((sights(steps, self._trace.topology), outcome))
        seen_by = np.array([positions[part.tobytes()] for part in parts], dtype=np.int64)
        return seen_by, seen

    def _labelled(self, table: pd.DataFrame) -> pd.DataFrame:
        table["replication"] = self._replication
        table["world"] = self._trace.world
        return table


def _offsets(plans: Sequence[Plan]) -> dict[Plan, int]:
    ends = np.cumsum([0, *(len(plan.steps) for plan in plans)])
    return {plan: int(start) for plan, start in zip(plans, ends, strict=False)}


def _worst(seen: dict[str, Sight], outcome: Outcome) -> tuple[float, float, bool]:
    fractions = outcome.request.model.shard_fractions
    return (
        worst_coalition(seen.values(), fractions, 1),
        worst_coalition(seen.values(), fractions, 2),
        any(sight.mixes for sight in seen.values()),
    )
