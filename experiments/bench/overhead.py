"""What running for real costs beside its steps: ``python -m experiments.bench.overhead``.

Overhead is a request's latency less the time that the steps on its critical path were taken up:
planning, handing out, waiting for a thread, reporting. Each way of running the small SAM over four
workers is its own baseline, since the steps are timed in the same run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from experiments.scenarios.loader import build, deployment, read_scenario, scenario_path
from experiments.workplaces import Links, open_runner
from sim.critical import critical_steps
from sim.trace import HAS_FINISHED, Record, Trace

SCENARIO = "small-sam"
POLICIES = (
    "sharded/prefix:assignment=round-robin",
    "sharded/exact:assignment=round-robin",
    "sharded/deferred:assignment=round-robin,codec=int8",
    "local",
)
REQUESTS, WARM_UP = 220, 20


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over requests of one policy, in seconds; ``overhead`` is a part of the latency."""

    policy: str
    latency_s: float
    busy_s: float
    overhead: float


def main() -> int:
    """Measure and print; return the exit status."""
    Console().print(_table(list(rows())))
    return 0


def rows() -> Iterator[Row]:
    """Run the scenario for real under each policy."""
    path = scenario_path(SCENARIO)
    settings = [f"workload.requests={REQUESTS}", f"warm_up={WARM_UP}", "real.default.pace=native"]
    document = read_scenario(path, settings)
    scenarios = [build(document, path, policy) for policy in POLICIES]
    nodes = deployment(document, path, scenarios[0].topology)
    with open_runner(Links.LOOPBACK, nodes) as runner:
        for scenario in scenarios:
            yield _row(scenario.policy_name, runner.run(scenario))


def _row(policy: str, trace: Trace) -> Row:
    records: dict[int, list[Record]] = {}
    for record in trace.records:
        records.setdefault(record.request, []).append(record)
    latencies_s = {o.request.index: o.latency_s for o in trace.outcomes}
    counted = [index for index in latencies_s if index >= WARM_UP]
    busy_s = {index: busy_on_critical_path(records[index]) for index in counted}
    return Row(
        policy,
        median(latencies_s[index] for index in counted),
        median(busy_s.values()),
        median(1 - busy_s[index] / latencies_s[index] for index in counted),
    )


def busy_on_critical_path(records: Sequence[Record]) -> float:
    """Return the seconds that the steps on the critical path of one plan were taken up."""
    rows = sorted(records, key=lambda record: record.step)
    path = critical_steps(
        rows[0].plan,
        [row.queued_s for row in rows],
        [row.end_s for row in rows],
        [HAS_FINISHED] * len(rows),
    )
    return sum(rows[step].end_s - rows[step].start_s for step in path)


def _table(found: Sequence[Row]) -> Table:
    table = Table("policy", "latency ms", "busy ms", "overhead", title=f"{SCENARIO}, for real")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in found:
        table.add_row(
            row.policy,
            f"{row.latency_s * 1e3:.1f}",
            f"{row.busy_s * 1e3:.1f}",
            f"{row.overhead:.1%}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
