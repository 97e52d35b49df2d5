"""How much quicker sweeps are on two processors, and what each cell costs beside its simulation.

Run it as ``python -m experiments.bench.sweeping [CELLS]``.
"""

import sys
from dataclasses import replace
from time import perf_counter

from experiments.helpers import done_by
from experiments.parts import Parts
from experiments.scenarios.loader import build, read_scenario
from experiments.sweeps.axes import settings_of
from experiments.sweeps.sweeping import Sweep
from sim.engine.simulator import Simulator

SCENARIO = "jetson-16-clouds"
SMALL = ("workload.requests=100", "warm_up=20", "replications=1")
"""Cells so small that what they cost besides is seen best."""
TRIES = 7
USUAL = ("workload.requests=200", "warm_up=20", "replications=2")
POLICIES = ("sharded/deferred:clouds={clouds},codec={codec}", "sharded/exact:clouds={clouds}")
CLOUDS, CODECS = "clouds=1,2,4,8,16", "codec=fp16,int8,int4"


def main(cells: int = 1000) -> None:
    """Sweep small cells for what each costs, and as many usual ones with one process and two."""
    small, usual = _sweep(max(cells // 20, 20), SMALL), _sweep(cells, USUAL)
    sweeping_s(small, 1)  # what is read and compiled once is no cell's
    bare_s = min(simulating_s(small) for _ in range(TRIES))
    whole_s = min(sweeping_s(small, 1) for _ in range(TRIES))
    count = len(small.cells)
    print(
        f"a cell of 100 requests takes {1e3 * bare_s / count:.1f} ms to simulate, and "
        f"{1e3 * (whole_s - bare_s) / count:.1f} ms beside that (wanted: below 10; {count} cells, "
        f"the quickest of {TRIES} times)"
    )
    one_s, two_s = (sweeping_s(usual, workers) for workers in (1, 2))
    print(
        f"{len(usual.cells)} cells of 2 x 200 requests: {one_s:.1f} s with one process, "
        f"{two_s:.1f} s with two, {one_s / two_s:.2f} times as fast (wanted: 1.8)"
    )
    print(f"bare simulations, two at once, are {two_at_once(small):.2f} times as fast here")


def two_at_once(sweep: Sweep) -> float:
    """Return how much faster two processes simulate than one, with nothing to share or to send.

    It is less than 2 where the machine's processors get in each other's way, or its host's.
    """
    halves = [replace(sweep, cells=sweep.cells[half::2]) for half in (0, 1)]
    one_s = [next(done_by(2, simulating_s, [half], return_as="generator")) for half in halves]
    return sum(one_s) / max(done_by(2, simulating_s, halves, return_as="generator"))


def _sweep(cells: int, settings: tuple[str, ...]) -> Sweep:
    seeds = ",".join(map(str, range(-(-cells // 20))))
    return Sweep.of(SCENARIO, POLICIES, [CLOUDS, CODECS, f"seed={seeds}"], settings)


def simulating_s(sweep: Sweep) -> float:
    """Return the seconds that nothing but the simulations take."""
    path, orders = sweep.orders.path, sweep.orders
    total_s = 0.0
    for cell in sweep.cells:
        settings = [*orders.settings, *settings_of(cell, orders.policies)]
        scenario = build(read_scenario(path, settings), path, cell.policy)
        begun_s = perf_counter()
        Simulator().run(scenario)
        total_s += perf_counter() - begun_s
    return total_s


def sweeping_s(sweep: Sweep, workers: int) -> float:
    """Return the seconds that all of it takes."""
    begun_s = perf_counter()
    with Parts(None, sweep.about()) as parts:
        sweep.run(parts, workers=workers)
    return perf_counter() - begun_s


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
