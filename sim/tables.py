"""Tables of a trace: a row per step, per request, and per request and node that saw something.

Of generative models they tell when the tokens of an answer came, as well.

Every runner's traces pass through here, so simulated and real results share one schema and
comparing them is a join.

Requests stand in the order in which they ended; the steps of each stand together, in the order
in which they ended. So the tables of a run's chunks (see `sim.trace.Sink`), one below the other,
are the tables of the whole run, wherever the chunks begin.

Each table is to be had as a data frame, and as plain columns (`sim.columns`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sim.columns import Column, Table
from sim.exposure import fraction, holdings, worst_coalition
from sim.rows import WORDS, Rows
from sim.sightings import Sighting, sightings
from sim.tokens import arrivals_of_tokens, token_times
from sim.trace import Trace, outcome_words

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

_STEP_NUMBERS = (
    "request", "attempt", "step", "queued_s", "start_s", "end_s", "busy_s", "bytes", "flops",
    "energy_j", "cost_usd", "carbon_g", "tokens",
)  # fmt: skip
_SUMMED = ("bytes_up", "bytes_down", "energy_j", "cost_usd", "carbon_g")
_TYPES = {"pixels": float, "mixes": bool, "depth_least": int, "depth_most": int, "tokens": int}


class Tables:
    """The tables of one trace; ``replication`` fills the column of that name.

    ``carbon_g`` is NaN where the topology gives no carbon intensity.
    """

    def __init__(self, trace: Trace, replication: int = 0) -> None:
        self._trace = trace
        self._replication = replication
        self._outcomes = trace.outcomes
        self._indices = np.array([o.request.index for o in self._outcomes], dtype=np.int64)
        self._rows = Rows(trace)
        self._sightings = sightings(self._rows, self._outcomes, trace.topology)

    def steps(self) -> pd.DataFrame:
        """Return one row per step that began; see `STEP_COLUMNS`.

        ``busy_s`` is how long it held a slot of its device, ``bytes`` what really moved: all of a
        transfer that finished, and of any other what had passed by then. ``energy_j``,
        ``cost_usd`` and ``carbon_g`` go by these two. ``flops`` counts finished computations,
        ``tokens`` those of an answer that a step made or brought.
        """
        rows = self._rows
        table = pd.DataFrame({name: rows.columns[name] for name in _STEP_NUMBERS})
        for word in WORDS:
            kinds = pd.Categorical(rows.facts(word))
            table[word] = kinds.take(rows.columns["plan_step"])
        table["outcome"] = outcome_words(rows.columns["state"])
        table["critical"] = rows.critical()
        return self._labelled(table)[list(STEP_COLUMNS)]

    def work(self) -> Table:
        """Return what `steps` tells of the work that each step brought.

        That is ``request``, ``kind``, ``node``, ``source``, ``target``, ``flops`` and ``bytes``.
        """
        rows = self._rows
        words = {word: rows.words(word) for word in ("kind", "node", "source", "target")}
        return words | {name: rows.columns[name] for name in ("request", "flops", "bytes")}

    def requests(self) -> pd.DataFrame:
        """Return one row per request; see `REQUEST_COLUMNS`.

        ``tokens`` are those of the answer that reached the origin, ``first_token_s`` how long the
        first was in coming, ``token_gap_s`` the mean time from one to the next; NaN where there
        are none.
        """
        return self._labelled(pd.DataFrame(self.request_columns()))[list(REQUEST_COLUMNS)]

    def request_columns(self) -> Table:
        """Return the columns of `requests` that differ from row to row."""
        outcomes, rows = self._outcomes, self._rows
        arrival_s = np.array([o.request.arrival_s for o in outcomes], dtype=float)
        end_s = np.array([o.end_s for o in outcomes], dtype=float)
        origin = _words(o.request.origin for o in outcomes)
        rank, count = rows.columns["rank"], len(outcomes)
        came = arrivals_of_tokens(rows.steps, rows.columns, origin)
        return {
            "request": self._indices,
            "origin": origin,
            "arrival_s": arrival_s,
            "end_s": end_s,
            "latency_s": end_s - arrival_s,
            "outcome": _words(o.outcome for o in outcomes),
            "reason": _words(o.reason for o in outcomes),
            **{name: np.bincount(rank, rows.columns[name], count)[:count] for name in _SUMMED},
            **self._per_request_worst(),
            **token_times(came, arrival_s),
        }

    def exposure(self) -> pd.DataFrame:
        """Return one row per request and untrusted node that received any of it.

        ``pixels`` is the fraction of the input that the node received directly; see
        `EXPOSURE_COLUMNS` and `sim.exposure`.
        """
        return self._labelled(pd.DataFrame(self.exposure_columns()))[list(EXPOSURE_COLUMNS)]

    def exposure_columns(self) -> Table:
        """Return the columns of `exposure` that differ from row to row."""
        names = ("node", "provider", "received", "pixels", "mixes")
        return self._per_request(names, [self._shown(each) for each in self._sightings.kinds])

    def holdings(self) -> pd.DataFrame:
        """Return one row per request, untrusted node and tensor that it held.

        See `HOLDING_COLUMNS` and `sim.exposure.Held`.
        """
        return self._labelled(pd.DataFrame(self.holding_columns()))[list(HOLDING_COLUMNS)]

    def holding_columns(self) -> Table:
        """Return the columns of `holdings` that differ from row to row."""
        names = ("node", "provider", "tensor", "depth_least", "depth_most", "tokens")
        return self._per_request(names, [self._kept(each) for each in self._sightings.kinds])

    @property
    def world(self) -> str:
        """What the trace came from: ``sim`` or ``real``."""
        return self._trace.world

    @property
    def ended(self) -> int:
        """How many requests ended."""
        return len(self._outcomes)

    def charges(self) -> Table:
        """Return what each step is charged to, a row per row of `steps`.

        That is ``node``, the one that computed, sent or waited, ``computed``, whether it computed,
        and ``energy_j``, ``cost_usd`` and ``carbon_g``.
        """
        rows = self._rows
        kind, node, source = (rows.words(word) for word in ("kind", "node", "source"))
        return {
            "node": np.where(kind == "transfer", source, node),
            "computed": (kind == "compute").astype(bool),
            **{name: rows.columns[name] for name in ("energy_j", "cost_usd", "carbon_g")},
        }

    def _shown(self, sighting: Sighting) -> list[tuple[Any, ...]]:
        """Return a row of `exposure` for each node that saw anything."""
        fractions = sighting.first.request.model.shard_fractions
        node = self._trace.topology.node
        return [
            (name, node(name).provider, "+".join(sorted(sight.tensors)),
             fraction(sight.parts, fractions), sight.mixes)
            for name, sight in sighting.seen.items()
        ]  # fmt: skip

    def _kept(self, sighting: Sighting) -> list[tuple[Any, ...]]:
        """Return a row of `holdings` for each node and tensor that it held."""
        topology = self._trace.topology
        return [
            (name, topology.node(name).provider, tensor, held.least_depth, held.most_depth,
             held.tokens)
            for (name, tensor), held in holdings(sighting.steps, topology).items()
        ]  # fmt: skip

    def _per_request_worst(self) -> Table:
        """Return what the worst node and pair of nodes saw of each request."""
        worst = [_worst(each) for each in self._sightings.kinds]
        columns = {"pixels_max_node": float, "pixels_max_pair": float, "mixes": bool}
        return {
            name: np.array([each[place] for each in worst], dtype)[self._sightings.kind_of]
            for place, (name, dtype) in enumerate(columns.items())
        }

    def _per_request(self, names: Sequence[str], rows: list[list[tuple[Any, ...]]]) -> Table:
        """Return the rows of each request, given those of all that were seen alike."""
        counts = np.array([len(each) for each in rows], dtype=np.int64)
        firsts = np.cumsum(counts) - counts
        kind_of = self._sightings.kind_of
        each = counts[kind_of]
        within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        places = np.repeat(firsts[kind_of], each) + within
        distinct = [row for kind in rows for row in kind]
        found: dict[str, Column] = {"request": np.repeat(self._indices, each)}
        for number, name in enumerate(names):
            values = [row[number] for row in distinct]
            found[name] = np.array(values, dtype=_TYPES.get(name, object))[places]
        return found

    def _labelled(self, table: pd.DataFrame) -> pd.DataFrame:
        table["replication"] = self._replication
        table["world"] = self._trace.world
        return table


def _words(words: Iterable[str]) -> Column:
    return np.array(list(words), dtype=object)


def _worst(sighting: Sighting) -> tuple[float, float, bool]:
    fractions = sighting.first.request.model.shard_fractions
    seen = sighting.seen.values()
    return (
        worst_coalition(seen, fractions, 1),
        worst_coalition(seen, fractions, 2),
        any(sight.mixes for sight in seen),
    )
