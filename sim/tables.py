"""Tables of a trace: a row per step, per request, and per request and node that saw something.

Of generative models they tell when the tokens of an answer came, as well.

Every runner's traces pass through here, so simulated and real results share one schema and
comparing them is a join. What follows from plan and topology is worked out once per plan, not
once per record.

Requests stand in the order in which they ended; the steps of each stand together, in the order
in which they ended. So the tables of a run's chunks (see `sim.trace.Sink`), one below the other,
are the tables of the whole run, wherever the chunks begin.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.critical import critical_steps
from sim.emissions import emitted_g
from sim.exposure import Sight, fraction, holdings, sights, worst_coalition
from sim.facts import StepFacts, step_facts
from sim.plan import Step
from sim.tokens import arrivals_of_tokens, token_times
from sim.trace import HAS_FINISHED, NEVER_BEGUN, Columns, Outcome, Trace, outcome_words
from topologies.carbon import CarbonIntensity

STEP_COLUMNS = (
    "request", "replication", "attempt", "step", "kind", "stage", "node", "source", "target",
    "queued_s", "start_s", "end_s", "critical", "busy_s", "bytes", "flops", "energy_j",
    "cost_usd", "carbon_g", "tokens", "outcome", "world",
)  # fmt: skip
REQUEST_COLUMNS = (
    "request", "replication", "origin", "arrival_s", "end_s", "latency_s", "outcome", "reason",
    "bytes_up", "bytes_down", "energy_j", "cost_usd", "carbon_g", "pixels_max_node",
    "pixels_max_pair", "mixes", "tokens", "first_token_s", "token_gap_s", "world",
)  # fmt: skip
EXPOSURE_COLUMNS = (
    "request", "replication", "node", "provider", "received", "pixels", "mixes", "world",
)  # fmt: skip
HOLDING_COLUMNS = (
    "request", "replication", "node", "provider", "tensor", "depth_least", "depth_most", "tokens",
    "world",
)  # fmt: skip

StepGrids = tuple[tuple[CarbonIntensity, float], ...]
_FACTS = tuple(name for name in StepFacts.__dataclass_fields__ if name != "grids")
_SUMMED = ("bytes_up", "bytes_down", "energy_j", "cost_usd", "carbon_g")


class Tables:
    """The tables of one trace; ``replication`` fills the column of that name.

    ``carbon_g`` is NaN where the topology gives no carbon intensity.
    """

    def __init__(self, trace: Trace, replication: int = 0) -> None:
        self._trace = trace
        self._replication = replication
        self._outcomes = trace.outcomes
        self._plan_steps = [step for plan in trace.plans for step in plan.steps]
        columns = trace.columns()
        self._rank = self._ranks(columns)
        self._rows = self._gather(columns)
        self._seen_by, self._seen, self._looked_at = self._look()

    def steps(self) -> pd.DataFrame:
        """Return one row per step that began; see `STEP_COLUMNS`.

        ``busy_s`` is how long it held a slot of its device, ``bytes`` what really moved: all of a
        transfer that finished, and of any other what had passed by then. ``energy_j``,
        ``cost_usd`` and ``carbon_g`` go by these two. ``flops`` counts finished computations,
        ``tokens`` those of an answer that a step made or brought.
        """
        return self._rows[list(STEP_COLUMNS)]

    def requests(self) -> pd.DataFrame:
        """Return one row per request; see `REQUEST_COLUMNS`.

        ``tokens`` are those of the answer that reached the origin, ``first_token_s`` how long the
        first was in coming, ``token_gap_s`` the mean time from one to the next; NaN where there
        are none.
        """
        table = pd.DataFrame(
            [(o.request.index, o.request.origin, o.request.arrival_s, o.end_s, o.latency_s,
              o.outcome, o.reason) for o in self._outcomes],
            columns=["request", "origin", "arrival_s", "end_s", "latency_s", "outcome", "reason"],
        )  # fmt: skip
        for column in _SUMMED:
            table[column] = np.bincount(
                self._rows["rank"], weights=self._rows[column], minlength=len(table)
            )[: len(table)]
        worst = pd.DataFrame(
            [_worst(sight, outcome) for sight, outcome in self._seen],
            columns=["pixels_max_node", "pixels_max_pair", "mixes"],
        )
        worst = worst.astype({"pixels_max_node": float, "pixels_max_pair": float, "mixes": bool})
        table[list(worst.columns)] = worst.take(self._seen_by).set_axis(table.index)
        came = arrivals_of_tokens(self._plan_steps, self._rows, table["origin"])
        for column, values in token_times(came, table["arrival_s"]).items():
            table[column] = values
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
        return self._per_request(distinct)[list(EXPOSURE_COLUMNS)]

    def holdings(self) -> pd.DataFrame:
        """Return one row per request, untrusted node and tensor that it held.

        See `HOLDING_COLUMNS` and `sim.exposure.Held`.
        """
        topology = self._trace.topology
        rows = [
            (kind, node, topology.node(node).provider, tensor, held.least_depth, held.most_depth,
             held.tokens)
            for kind, steps in enumerate(self._looked_at)
            for (node, tensor), held in holdings(steps, topology).items()
        ]  # fmt: skip
        columns = ["seen_by", "node", "provider", "tensor", "depth_least", "depth_most", "tokens"]
        counts = dict.fromkeys(("seen_by", "depth_least", "depth_most", "tokens"), int)
        distinct = pd.DataFrame(rows, columns=columns).astype(counts)
        return self._per_request(distinct)[list(HOLDING_COLUMNS)]

    def _per_request(self, distinct: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of each request, given those of all that were seen alike."""
        requests = pd.DataFrame(
            {"request": [o.request.index for o in self._outcomes], "seen_by": self._seen_by}
        )
        requests["rank"] = requests.index
        table = requests.merge(distinct, on="seen_by", how="inner").sort_values(
            "rank", kind="stable", ignore_index=True
        )
        return self._labelled(table)

    @property
    def world(self) -> str:
        """What the trace came from: ``sim`` or ``real``."""
        return self._trace.world

    @property
    def ended(self) -> int:
        """How many requests ended."""
        return len(self._outcomes)

    def charges(self) -> pd.DataFrame:
        """Return what each step is charged to, a row per row of `steps`.

        That is ``node``, the one that computed, sent or waited, ``computed``, whether it computed,
        and ``energy_j``, ``cost_usd`` and ``carbon_g``.
        """
        rows = self._rows
        computed = rows["kind"] == "compute"
        charged = rows[["energy_j", "cost_usd", "carbon_g"]].copy()
        charged["computed"] = computed
        sent = rows["kind"] == "transfer"
        charged["node"] = rows["source"].astype(str).where(sent, rows["node"].astype(str))
        return charged

    def _ranks(self, columns: Columns) -> npt.NDArray[np.int64]:
        """Return for each step how many requests ended before its own."""
        places = {outcome.request.index: rank for rank, outcome in enumerate(self._outcomes)}
        present, inverse = np.unique(columns.request, return_inverse=True)
        ranks = [places.get(request, len(places)) for request in present.tolist()]
        return np.array(ranks, dtype=np.int64)[inverse]

    def _gather(self, columns: Columns) -> pd.DataFrame:
        """Return the steps that began as rows, each beside the facts of its step."""
        begun = np.flatnonzero(columns.state != NEVER_BEGUN)
        keys = (columns.step, columns.attempt, columns.end_s, self._rank)
        order = begun[np.lexsort([key[begun] for key in keys])]
        plan_step = self._plan_step(columns)[order]
        facts, grids = self._facts()
        rows = facts.take(plan_step).reset_index(drop=True)
        rows["plan_step"], rows["rank"] = plan_step, self._rank[order]
        for name in ("request", "attempt", "step", "queued_s", "start_s", "end_s"):
            rows[name] = getattr(columns, name)[order]
        rows["outcome"] = outcome_words(columns.state)[order]
        rows["critical"] = self._critical(columns)[order]
        rows["finished"] = finished = columns.state[order] == HAS_FINISHED
        planned = np.array([step.tokens for step in self._plan_steps], dtype=np.int64)
        made = columns.made[order]
        rows["tokens"] = np.where(made >= 0, made, planned[plan_step]) * finished
        self._charge(rows, columns.used[order], grids)
        return self._labelled(rows)

    def _charge(
        self,
        rows: pd.DataFrame,
        used: npt.NDArray[np.float64],
        grids: Sequence[StepGrids],
    ) -> None:
        """Add what each step took of its device or route, and what follows from that."""
        computed, finished = rows["kind"] == "compute", rows["finished"]
        usual = np.isnan(used)
        held_s = np.where(usual, rows["end_s"] - rows["start_s"], used)
        rows["busy_s"] = busy_s = np.where(computed, held_s, 0.0)
        sent = np.where(usual, 0.0, used) / rows["bytes"].where(rows["bytes"] > 0, np.inf)
        rows["share"] = share = np.where(
            finished, 1.0, np.where(computed, (busy_s > 0).astype(float), sent)
        )
        for name in ("bytes", "bytes_up", "bytes_down"):
            rows[name] *= share
        rows["flops"] = rows["flops"].where(finished, 0.0)
        rows["energy_j"] = rows["power_w"] * busy_s + rows["fixed_j"] * share
        rows["cost_usd"] = rows["usd_per_s"] * busy_s + rows["fixed_usd"] * share
        if not self._trace.topology.carbon:
            rows["carbon_g"] = np.nan
            return
        kinds, factor = rows["plan_step"].to_numpy(), np.where(computed, busy_s, share)
        start_s, end_s = rows["start_s"].to_numpy(), rows["end_s"].to_numpy()
        rows["carbon_g"] = emitted_g(grids, kinds, factor, start_s, end_s)

    def _facts(self) -> tuple[pd.DataFrame, list[StepGrids]]:
        """Return the facts of every step of every plan; `_plan_step` says which row is whose."""
        found = [step_facts(step, self._trace.topology) for step in self._plan_steps]
        facts = pd.DataFrame(
            {name: [getattr(fact, name) for fact in found] for name in _FACTS},
            columns=list(_FACTS),
        )
        words = ("kind", "stage", "node", "source", "target")
        numbers = [name for name in _FACTS if name not in words]
        types = dict.fromkeys(words, "category") | dict.fromkeys(numbers, "float64")
        return facts.astype(types), [fact.grids for fact in found]

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
        self,
    ) -> tuple[npt.NDArray[np.int64], list[tuple[dict[str, Sight], Outcome]], list[Sequence[Step]]]:
        """Work out what was seen of each request, once for all that ran the same steps.

        Returns, per request, the position of what was seen of it in the list that follows; each
        entry of the list has the first request it stands for beside it. The third is the steps
        that were run, for each entry.
        """
        arrived = self._rows[self._rows["share"] > 0]
        plan_step, rank = arrived["plan_step"].to_numpy(), arrived["rank"].to_numpy()
        order = np.lexsort((plan_step, rank))
        bounds = np.searchsorted(rank[order], np.arange(len(self._outcomes) + 1))
        positions: dict[bytes, int] = {}
        seen: list[tuple[dict[str, Sight], Outcome]] = []
        looked_at: list[Sequence[Step]] = []
        seen_by = np.zeros(len(self._outcomes), dtype=np.int64)
        parts = np.split(plan_step[order], bounds)[1:-1]
        for place, part in enumerate(parts):
            key = part.tobytes()
            if key not in positions:
                positions[key] = len(seen)
                steps: Sequence[Step] = [self._plan_steps[position] for position in part]
                looked_at.append(steps)
                seen.append((sights(steps, self._trace.topology), self._outcomes[place]))
            seen_by[place] = positions[key]
        return seen_by, seen, looked_at

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
