"""Slots by demand: as many as keep utilisation at a target, within bounds, after a start-up time.

The rule is that of Kubernetes' Horizontal Pod Autoscaler (documentation, "Algorithm details"):
``wanted = ceil(slots × utilisation / target)``, and nothing where the ratio of utilisation to
target is within 0.1 of 1.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from sim.engine.clock import Clock
from sim.engine.servers.pool import Pool

TOLERANCE: Final = 0.1


@dataclass(frozen=True)
class Scaling:
    """Every ``interval_s`` look at the utilisation since the last look, and aim at ``target``.

    Slots added serve after ``start_up_s``; slots taken away finish the job they serve.
    """

    target: float
    min_slots: int
    max_slots: int
    start_up_s: float
    interval_s: float


class Autoscaler:
    """Sets the slots of ``pool``, which begins with as many as it has, brought within bounds.

    It looks for as long as the simulation goes on. Slots that are starting up are not asked for
    again, and serve when they are ready if they are wanted then.
    """

    def __init__(self, clock: Clock, pool: Pool, scaling: Scaling) -> None:
        self._clock = clock.agenda
        self._pool = pool
        self._scaling = scaling
        self._wanted = min(max(pool.slots, scaling.min_slots), scaling.max_slots)
        self._taken_s = 0.0  # slot-seconds that jobs took, until the last look
        self._there_s = (
            0.0  # slot-seconds that there were since the last look, until the last change
        )
        self._changed_s = clock.now
        pool.set_slots(self._wanted)
        self._look_later()

    def _look_later(self) -> None:
        self._clock.at(self._clock.now + self._scaling.interval_s, self._look, None)

    def _look(self, _: None) -> None:
        pool, scaling = self._pool, self._scaling
        self._set(pool.slots)
        taken_s = pool.taken_s
        ratio = (taken_s - self._taken_s) / self._there_s / scaling.target
        self._taken_s = taken_s
        self._there_s = 0.0
        if abs(ratio - 1.0) > TOLERANCE:
            # Rounded, so that 3 × 0.5 / 0.5 wants 3 slots whatever the last bits say.
            wanted = ceil(round(pool.slots * ratio, 9))
            self._want(min(max(wanted, scaling.min_slots), scaling.max_slots))
        self._look_later()

    def _want(self, slots: int) -> None:
        more = slots > self._wanted
        self._wanted = slots
        if slots <= self._pool.slots:
            self._set(slots)
        elif more:
            self._clock.at(self._clock.now + self._scaling.start_up_s, self._start, slots)

    def _start(self, slots: int) -> None:
        """Have the slots that were asked for, or as many of them as are wanted still."""
        self._set(max(self._pool.slots, min(slots, self._wanted)))

    def _set(self, slots: int) -> None:
        now_s = self._clock.now
        self._there_s += self._pool.slots * (now_s - self._changed_s)
        self._changed_s = now_s
        self._pool.set_slots(slots)
