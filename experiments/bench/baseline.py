"""The yardstick: how many timeouts per second bare simpy processes, here and now.

Absolute speeds drift with the machine and its load; ratios to this figure, measured in the same
process, hold (within a few per cent).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import simpy
from simpy.events import ProcessGenerator

REPEATS = 5


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure: ``value`` in ``unit``, and ``ratio``, what it is of the ``baseline``.

    The baseline of speeds is bare simpy's, that of memory the limit in the same unit.
    """

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float


def measure(
    name: str, unit: str, baseline: float, work: Callable[[], int], repeats: int = REPEATS
) -> Measurement:
    """Time ``work``, which returns how many units it did; the best of ``repeats`` counts."""
    value = max(_rate(work) for _ in range(repeats))
    return Measurement(name, value, unit, baseline, value / baseline)


def timeouts_per_s(events: int = 200_000, repeats: int = REPEATS) -> float:
    """Return how many timeouts per second one bare simpy process gets, the best of ``repeats``."""
    return max(_rate(lambda: _time_out(events)) for _ in range(repeats))


def _rate(work: Callable[[], int]) -> float:
    start_s = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - start_s)


def _time_out(events: int) -> int:
    environment = simpy.Environment()

    def process() -> ProcessGenerator:
        for _ in range(events):
            yield environment.timeout(1.0)

    environment.process(process())
    environment.run()
    return events
