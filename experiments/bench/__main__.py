"""Run all benchmarks: ``python -m experiments.bench``.

Prints a table and writes ``.bench/latest.json``: ``{name: {value, unit, baseline, ratio}}``.
"""

import argparse
import json
import resource
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.bench import cities, flows, steps
from experiments.bench.baseline import Measurement, timeouts_per_s

BENCHMARKS: list[Callable[[float], Iterable[Measurement]]] = [
    steps.benchmarks,
    flows.benchmarks,
    cities.curve,
    cities.memory,
]
"""Each takes bare simpy's timeouts per second. A new benchmark is one more function here."""

LATEST = Path(".bench/latest.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=LATEST, help="default: %(default)s")
    out: Path = parser.parse_args(arguments).out
    baseline = timeouts_per_s()
    measurements = [one for benchmark in BENCHMARKS for one in benchmark(baseline)]
    write(measurements, out)
    console = Console()
    console.print(_table(measurements, baseline))
    for line in cities.growth(measurements):
        console.print(line, highlight=False)
    return 0


def write(measurements: Iterable[Measurement], path: Path) -> None:
    """Write the measurements as JSON, all or nothing."""
    document = {
        one.name: {
            "value": one.value, "unit": one.unit, "baseline": one.baseline, "ratio": one.ratio,
        }
        for one in measurements
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def _table(measurements: Iterable[Measurement], baseline: float) -> Table:
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    table = Table(
        "benchmark", "value", "unit", "ratio",
        title=f"bare simpy: {baseline:,.0f} timeouts/s (ratio 1)",
        caption=f"peak memory of all together: {peak_mib:.0f} MiB",
    )  # fmt: skip
    for column in (table.columns[1], table.columns[3]):
        column.justify = "right"
    for one in measurements:
        table.add_row(one.name, f"{one.value:,.0f}", one.unit, f"{one.ratio:.4f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
