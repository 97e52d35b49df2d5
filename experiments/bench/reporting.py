"""How large a page of a sweep of many cells is, and how soon Chromium has drawn all of it.

Run it as ``python -m experiments.bench.reporting [CELLS]``. One cell is simulated; the others are
that one with other figures, drawn by seed, kept in the format in which a sweep keeps them.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

from experiments.extras import needs
from experiments.parts import Parts
from experiments.sweeps.simulating import simulated
from experiments.sweeps.sweeping import Sweep
from real_runner.errors import RealRunError

SETTINGS = ("workload.requests=60", "warm_up=10", "replications=2")
POLICY = "sharded/deferred:clouds={clouds}"
TIMES = 3
"""How often the page is opened; the median counts."""
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip


def main(cells: int = 10_000) -> None:
    """Keep so many cells, report on them, open the page, and print what that took."""
    with needs("report"):
        from experiments.reports import page, reading  # noqa: PLC0415 - an extra
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "swept"
        count = keep(folder, sweep_of(cells))
        begun_s = perf_counter()
        path = Path(place) / "report.html"
        page.write(reading.read(folder), path)
        wrote_s = perf_counter() - begun_s
        drawn_ms = [*opened(path)]
        size_mb = path.stat().st_size / 1e6
    print(f"{count:,} cells: read and written in {wrote_s:.1f} s, {size_mb:.1f} MB (wanted: 20)")
    print(
        f"all drawn {median(drawn_ms) / 1e3:.2f} s after it was opened in Chromium, the median of "
        f"{', '.join(f'{each / 1e3:.2f}' for each in drawn_ms)} (wanted: 3)"
    )


def sweep_of(cells: int) -> Sweep:
    """Return a sweep along four axes of so many cells, or a few more."""
    seeds = -(-cells // 1000)
    axes = [
        f"clouds={','.join(map(str, range(1, 11)))}",
        f"workload.arrivals.rate_per_s={','.join(f'{rate / 2}' for rate in range(1, 11))}",
        f"view_age={','.join(f'{age}ms' for age in range(0, 200, 20))}",
        f"seed={','.join(map(str, range(seeds)))}",
    ]
    return Sweep.of("jetson-16-clouds", [POLICY], axes, SETTINGS)


def keep(folder: Path, sweep: Sweep) -> int:
    """Keep a row of figures for each cell; return how many."""
    rng = np.random.default_rng(sweep.cells[0].number)
    first = simulated(sweep.orders, sweep.cells[0])
    figures = first.select_dtypes("float").columns.drop("deadline_s")
    with Parts(folder, sweep.about()) as parts:
        for cell in sweep.cells:
            row = first.iloc[0].to_dict() | dict(cell.at)
            row |= dict((first[figures].iloc[0] * rng.lognormal(sigma=0.3)).items())
            row |= {"cell": cell.number, "policy": cell.policy}
            row |= {"verdict": str(rng.choice(["holds", "missed", "undecided"]))}
            parts.keep(
                f"cell-{cell.number:06d}", pd.DataFrame([row | {"saturated": rng.random() < 0.1}])
            )
    return len(sweep.cells)


def opened(path: Path) -> Iterator[float]:
    """Yield, for each time the page is opened anew, after how many ms all of it was drawn."""
    with needs("dev"):
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra
    program = shutil.which("chromium")
    if program is None:
        raise RealRunError("no Chromium to open the page in: make packages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
        for _ in range(TIMES):
            page = browser.new_page()
            page.goto(path.as_uri(), timeout=0)
            page.wait_for_selector("html[data-drawn]", state="attached", timeout=0)
            yield page.evaluate("performance.getEntriesByName('drawn')[0].startTime")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
