"""Running a scenario: all its replications under one policy, summed up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.metrics import (
    LATENCY_METRICS,
    TOKEN_METRICS,
    counting_latencies,
    replication_metrics,
    single_metrics,
    summarise,
    utilisation,
)
from experiments.results import ResultFolder
from experiments.saturation import Evidence, Saturation, Work, evidence, occupied_s, saturation
from experiments.statistics.batches import Batching, batching
from experiments.statistics.estimates import Estimate, FloatArray, unbounded
from experiments.statistics.warm_up import WarmUp, mser5
from sim.columns import Table, chosen, together
from sim.ledger import Ledger
from sim.runner import AUTO, Runner, Scenario
from sim.tables import Tables
from sim.trace import Sink, Trace


@dataclass(frozen=True)
class Campaign:
    """What came out of all replications of ``scenario``, which says how many there were.

    ``replications`` holds each replication's metrics, ``metrics`` their estimates: of a single
    replication by batch means, for which its latencies were cut into ``batches``. Where there is
    ``saturation``, latencies have no estimate (NaN), since there is no steady state to estimate.

    ``latencies_s`` per replication the latencies that count (infinite where a request failed),
    ``seen`` per untrusted node the largest fraction of one request's input that it received
    directly and whether it ever received mixtures, ``held`` per untrusted node and tensor what it
    held of any one request: the least and the greatest depth, and how many. ``warm_up`` requests
    of each replication count for none of these.
    """

    scenario: Scenario
    replications: tuple[dict[str, float], ...]
    metrics: dict[str, Estimate]
    utilisation: dict[str, Estimate]
    latencies_s: tuple[tuple[float, ...], ...]
    seen: pd.DataFrame
    warm_up: WarmUp
    saturation: Saturation
    batches: Batching | None
    held: pd.DataFrame = field(default_factory=pd.DataFrame)


Last = dict[tuple[Any, ...], int]


@dataclass(frozen=True)
class Replicated:
    """What one replication left: a row per request, in the order of arrival, and what follows.

    ``seen`` and ``held`` have the last request of each way in which a node saw or held anything,
    which is enough, whatever the warm-up.
    """

    requests: Table
    utilisation: dict[str, float]
    evidence: Evidence
    seen: Last
    held: Last


class Replicating:
    """One replication of a scenario in the making: its tables, chunk by chunk, then its trace."""

    def __init__(self, scenario: Scenario) -> None:
        self._work = Work(scenario.topology, scenario.workload.requests)
        self._requests: list[Table] = []
        self._seen: Last = {}
        self._held: Last = {}

    def add(self, requests: Table, work: Table, exposure: Table, holdings: Table) -> None:
        """Add a chunk's tables; see `sim.tables.Tables`."""
        self._requests.append(requests)
        self._work.add(work)
        _note(self._seen, exposure, _SIGHT)
        _note(self._held, holdings, _HOLDING)

    def finished(self, trace: Trace) -> Replicated:
        """Sum up; of ``trace`` only the books of the whole run count."""
        ended = together(self._requests)
        requests = chosen(ended, np.argsort(ended["request"]))
        return Replicated(
            requests,
            utilisation(trace),
            evidence(occupied_s(trace), self._work, requests),
            self._seen,
            self._held,
        )


class Gathered:
    """The replications of a scenario that there are so far, from wherever they come."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._replicated: list[Replicated] = []
        self._latencies_s: list[FloatArray] = []
        self._rows: list[dict[str, float]] = []
        self._rows_leave_out = 0

    def __len__(self) -> int:
        return len(self._replicated)

    def add(self, replicated: Replicated) -> None:
        """Add one more."""
        self._replicated.append(replicated)
        self._latencies_s.append(counting_latencies(replicated.requests))

    def campaign(self) -> Campaign:
        """Sum up; there is at least one replication."""
        scenario = replace(self._scenario, replications=len(self))
        warm_up = self._warm_up()
        latencies_s = [each[warm_up.requests :] for each in self._latencies_s]
        rows = self._row_per_replication(warm_up.requests)
        saturated = saturation(scenario, [each.evidence for each in self._replicated])
        return Campaign(
            scenario=scenario,
            replications=tuple(rows),
            metrics=self._metrics(rows, warm_up.requests, saturated),
            utilisation=summarise([each.utilisation for each in self._replicated]),
            latencies_s=tuple(tuple(each.tolist()) for each in latencies_s),
            seen=_seen([each.seen for each in self._replicated], warm_up.requests),
            warm_up=warm_up,
            saturation=saturated,
            batches=_batches(latencies_s[0]) if len(self) == 1 else None,
            held=_held([each.held for each in self._replicated], warm_up.requests),
        )

    def _warm_up(self) -> WarmUp:
        if self._scenario.warm_up != AUTO:
            return WarmUp(self._scenario.warm_up)
        return mser5(self._latencies_s)

    def _row_per_replication(self, warm_up: int) -> list[dict[str, float]]:
        """Return each replication's metrics, working out only those that are not known yet."""
        if warm_up != self._rows_leave_out:
            self._rows, self._rows_leave_out = [], warm_up
        deadline_s = self._scenario.deadline_s
        new = self._replicated[len(self._rows) :]
        self._rows += [replication_metrics(each.requests, warm_up, deadline_s) for each in new]
        return list(self._rows)

    def _metrics(
        self, rows: list[dict[str, float]], warm_up: int, saturated: Saturation
    ) -> dict[str, Estimate]:
        found: Mapping[str, Estimate] = (
            summarise(rows)
            if len(self) > 1
            else single_metrics(self._replicated[0].requests, warm_up, self._scenario.deadline_s)
        )
        timed = [name for name in (*LATENCY_METRICS, *TOKEN_METRICS) if name in found]
        void = dict.fromkeys(timed, unbounded(np.nan)) if saturated else {}
        return {**found, **void}


class Replications:
    """The replications of a scenario so far: run one more, or sum them up, at any time.

    ``folder`` receives the tables of each, ``look`` is shown them, chunk by chunk.
    """

    def __init__(
        self,
        scenario: Scenario,
        runner: Runner,
        folder: ResultFolder | None = None,
        look: Callable[[Tables], None] = lambda _: None,
    ) -> None:
        self.scenario = scenario
        self._runner = runner
        self._folder = folder
        self._look = look
        self._gathered = Gathered(scenario)

    def __len__(self) -> int:
        return len(self._gathered)

    def run_next(self) -> None:
        """Run the next replication."""
        scenario, replication = self.scenario, len(self)
        replicating = Replicating(scenario)
        ledger = Ledger(scenario.topology, replication)

        def take(chunk: Trace) -> None:
            tables = Tables(chunk, replication)
            replicating.add(
                tables.request_columns(),
                tables.work(),
                tables.exposure_columns(),
                tables.holding_columns(),
            )
            if self._folder is not None:
                ledger.add(tables)
                self._folder.add(scenario.policy_name, replication, tables)
            self._look(tables)

        trace = self._runner.run(scenario, replication, Sink(take))
        if self._folder is not None:
            self._folder.add_books(scenario.policy_name, ledger, trace)
        self._gathered.add(replicating.finished(trace))

    def campaign(self) -> Campaign:
        """Sum up; at least one replication has been run."""
        return self._gathered.campaign()


def run_campaign(
    scenario: Scenario,
    runner: Runner,
    folder: ResultFolder | None = None,
    advance: Callable[[], None] = lambda: None,
    look: Callable[[Tables], None] = lambda _: None,
) -> Campaign:
    """Run every replication of ``scenario`` and sum up.

    ``folder`` receives the tables, ``advance`` is called and ``look`` is shown the tables after
    each replication.
    """
    replications = Replications(scenario, runner, folder, look)
    for _ in range(scenario.replications):
        replications.run_next()
        advance()
    return replications.campaign()


def _batches(latencies_s: FloatArray) -> Batching | None:
    return batching(latencies_s[np.isfinite(latencies_s)])


_SIGHT = ("node", "provider", "pixels", "mixes")
_HOLDING = ("node", "provider", "tensor", "depth_least", "depth_most", "tokens")


def _note(last: Last, table: Table, way: Sequence[str]) -> None:
    """Note the last request of each way in which a node saw or held anything."""
    rows = chosen(table, np.argsort(table["request"], kind="stable"))
    found = zip(*(rows[name].tolist() for name in way), strict=True)
    for key, request in dict(zip(found, rows["request"].tolist(), strict=True)).items():
        last[key] = max(request, last.get(key, request))


def _counted(lasts: Sequence[Last], warm_up: int) -> list[tuple[Any, ...]]:
    """Return each way that occurred after the warm-up, once."""
    found = (way for last in lasts for way, request in last.items() if request >= warm_up)
    return list(dict.fromkeys(found))


def _seen(lasts: Sequence[Last], warm_up: int) -> pd.DataFrame:
    """Return one row per node: provider, largest fraction of pixels, any mixture."""
    nodes: dict[str, tuple[str, float, bool]] = {}
    for node, provider, pixels, mixes in _counted(lasts, warm_up):
        _, most, mixed = nodes.get(node, ("", 0.0, False))
        nodes[node] = (provider, max(pixels, most), mixes or mixed)
    columns = ["provider", "pixels", "mixes"]
    return pd.DataFrame(list(nodes.values()), pd.Index(nodes, name="node"), columns)


def _held(lasts: Sequence[Last], warm_up: int) -> pd.DataFrame:
    """Return one row per node and tensor: provider, depths, the most of it of one request."""
    tensors: dict[tuple[str, str], tuple[str, int, int, int]] = {}
    for node, provider, tensor, least, most, tokens in _counted(lasts, warm_up):
        _, low, high, many = tensors.get((node, tensor), ("", least, most, tokens))
        tensors[node, tensor] = (provider, min(least, low), max(most, high), max(tokens, many))
    index = pd.MultiIndex.from_tuples(list(tensors), names=["node", "tensor"])
    columns = ["provider", "depth_least", "depth_most", "tokens"]
    return pd.DataFrame(list(tensors.values()), index, columns)
