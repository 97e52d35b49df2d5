"""Running a scenario: all its replications under one policy, summed up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

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
from experiments.sights import HOLDING, SIGHT, Last, Way, counted, held_by, note, seen_by
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
    ``sights`` and ``holdings`` the ways in which untrusted nodes saw and held anything of any one
    request (see `experiments.sights`). ``warm_up`` requests of each replication count for none of
    these.
    """

    scenario: Scenario
    replications: tuple[dict[str, float], ...]
    metrics: dict[str, Estimate]
    utilisation: dict[str, Estimate]
    latencies_s: tuple[tuple[float, ...], ...]
    sights: tuple[Way, ...]
    holdings: tuple[Way, ...]
    warm_up: WarmUp
    saturation: Saturation
    batches: Batching | None

    @cached_property
    def seen(self) -> pd.DataFrame:
        """What each node was shown at most; see `experiments.sights.seen_by`."""
        return seen_by(self.sights)

    @cached_property
    def held(self) -> pd.DataFrame:
        """What each node held at most; see `experiments.sights.held_by`."""
        return held_by(self.holdings)


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
        note(self._seen, exposure, SIGHT)
        note(self._held, holdings, HOLDING)

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
            sights=counted([each.seen for each in self._replicated], warm_up.requests),
            holdings=counted([each.held for each in self._replicated], warm_up.requests),
            warm_up=warm_up,
            saturation=saturated,
            batches=_batches(latencies_s[0]) if len(self) == 1 else None,
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
            else single_metrics(
                self._replicated[0].requests, warm_up, self._scenario.deadline_s, rows[0]
            )
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
