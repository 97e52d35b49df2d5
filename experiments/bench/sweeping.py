"""How much quicker sweeps are on two processors, and what each cell costs beside its simulation.

Run it as ``python -m experiments.bench.sweeping [CELLS]``.
"""

import sys
from time import perf_counter

from experiments.parts import Parts
from experiments.scenarios.loader import build, read_scenario
from experiments.sweeps.axes import settings_of
from experiments.sweeps.sweeping import Sweep
from sim.engine.simulator import Simulator

SCENARIO = "jetson-16-clouds"
SETTINGS = ("workload.requests=100", "warm_up=20", "replications=1")
POLICIES = ("sharded/deferred:clouds={clouds},codec={codec}", "sharded/exact:clouds={clouds}")
CLOUDS, CODECS = "clouds=1,2,4,8,16", "codec=fp16,int8,int4"


def main(cells: int = 1000) -> None:
    """Sweep as many cells as are wanted, with one process and with two, and print ratios."""
    seeds = ",".join(map(str, range(-(-cells // 20))))
    sweep = Sweep.of(SCENARIO, POLICIES, [CLOUDS, CODECS, f"seed={seeds}"], SETTINGS)
    count = len(sweep.cells)
    bare_s = simulating_s(sweep)
    one_s, two_s = (sweeping_s(sweep, workers) for workers in (1, 2))
    print(f"{count} cells: {one_s:.1f} s with one process, {two_s:.1f} s with two, in memory")
    print(f"two are {one_s / two_s:.2f} times as fast as one (wanted: 1.8)")
    print(
        f"a cell takes {1e3 * bare_s / count:.1f} ms to simulate, and "
        f"{1e3 * (one_s - bare_s) / count:.1f} ms beside that (wanted: below 10)"
    )


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
