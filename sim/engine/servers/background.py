"""Other tenants of a device: jobs that nobody here asked for, and that take their share of it."""

from contextlib import suppress

import numpy as np

from sim.engine.clock import Clock
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, RefusedError


class Background:
    """A Poisson process of jobs on ``pool``, exponential of mean ``service_s``, for ever.

    They keep ``utilisation`` of the slots there were at first busy, as far as the device can bear
    it; while it is down or full they are turned away.
    """

    def __init__(
        self,
        clock: Clock,
        pool: Pool,
        utilisation: float,
        service_s: float,
        priority: int,
        generator: np.random.Generator,
    ) -> None:
        self._clock = clock.agenda
        self._pool = pool
        self._gap_s = service_s / (utilisation * pool.slots)
        self._service_s = service_s
        self._priority = priority
        self._generator = generator
        self._await_next()

    def _await_next(self) -> None:
        gap_s = float(self._generator.exponential(self._gap_s))
        self._clock.at(self._clock.now + gap_s, self._arrive, None)

    def _arrive(self, _: None) -> None:
        service_s = float(self._generator.exponential(self._service_s))
        with suppress(RefusedError):  # a tenant turned away: the device is down or full
            job = Job(service_s, self._priority, of_others=True)
            self._pool.submit(job, _ignore, None)
        self._await_next()


def _ignore(_: None, __: float) -> None:
    pass
