"""When requests arrive at one origin: at a fixed rate, as a Poisson process, or in bursts.

These are open: they arrive whatever becomes of those before. In a `Closed` loop each client waits
for its answer before it asks again.

Every process is frozen and draws from the generator it is given. Asking for more times with an
equal generator gives the same times and then some.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workloads.errors import WorkloadError

Times = NDArray[np.float64]


class Arrivals(Protocol):
    """One origin's stream of requests."""

    @property
    def mean_rate_per_s(self) -> float | None:
        """Requests per second in the long run; None where that has no meaning."""

    def times(self, rng: np.random.Generator, count: int) -> Times:
        """Return the first ``count`` times in seconds, ascending."""

    def staggered(self, rng: np.random.Generator) -> "Arrivals":
        """Return the process for another origin, out of step with this one."""


def _positive(field_name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise WorkloadError(f"{field_name}: {value!r}; give a positive, finite number")


@dataclass(frozen=True, slots=True)
class Camera:
    """Frames at a fixed rate, the first at ``phase_s``.

    Each is late by up to ``jitter_s``, uniformly and independently; less than one period, so that
    frames keep their order.
    """

    rate_per_s: float
    jitter_s: float = 0.0
    phase_s: float = 0.0

    def __post_init__(self) -> None:
        _positive("camera.rate_per_s", self.rate_per_s)
        if not 0 <= self.jitter_s < 1 / self.rate_per_s:
            raise WorkloadError(
                f"camera.jitter_s: {self.jitter_s!r}; give at least 0 and less than one period, "
                f"{1 / self.rate_per_s:g} s"
            )
        if not 0 <= self.phase_s < float("inf"):
            raise WorkloadError(f"camera.phase_s: {self.phase_s!r}; give a finite time from 0 on")

    @property
    def mean_rate_per_s(self) -> float:
        """Frames per second."""
        return self.rate_per_s

    def times(self, rng: np.random.Generator, count: int) -> Times:
        """Return the first ``count`` times."""
        regular = self.phase_s + np.arange(count) / self.rate_per_s
        return regular + rng.uniform(0, self.jitter_s, count) if self.jitter_s else regular

    def staggered(self, rng: np.random.Generator) -> "Camera":
        """Return a camera of the same rate that starts anywhere within one period."""
        return replace(self, phase_s=self.phase_s + rng.uniform(0, 1 / self.rate_per_s))


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent arrivals: exponential gaps of mean 1 / ``rate_per_s``."""

    rate_per_s: float

    def __post_init__(self) -> None:
        _positive("poisson.rate_per_s", self.rate_per_s)

    @property
    def mean_rate_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def times(self, rng: np.random.Generator, count: int) -> Times:
        """Return the first ``count`` times."""
        return np.cumsum(rng.exponential(1 / self.rate_per_s, count))

    def staggered(self, rng: np.random.Generator) -> "Poisson":  # noqa: ARG002 (random anyway)
        """Return the process itself: another generator makes another stream."""
        return self


@dataclass(frozen=True, slots=True)
class Bursts:
    """A Poisson process whose rate switches between two values (Markov-modulated, two states).

    It stays at ``low_per_s`` for an exponential time of mean ``mean_low_s``, then at
    ``high_per_s`` for one of mean ``mean_high_s``, and so on; it starts in either state with the
    probability of finding it there in the long run.
    """

    low_per_s: float
    high_per_s: float
    mean_low_s: float
    mean_high_s: float

    def __post_init__(self) -> None:
        for name in ("high_per_s", "mean_low_s", "mean_high_s"):
            _positive(f"bursts.{name}", getattr(self, name))
        if not 0 <= self.low_per_s <= self.high_per_s:
            raise WorkloadError(
                f"bursts.low_per_s: {self.low_per_s!r}; give at least 0 and at most high_per_s, "
                f"{self.high_per_s!r}"
            )

    @property
    def mean_rate_per_s(self) -> float:
        """Both rates, weighted with the time spent at each."""
        low, high = self.low_per_s * self.mean_low_s, self.high_per_s * self.mean_high_s
        return (low + high) / (self.mean_low_s + self.mean_high_s)

    def times(self, rng: np.random.Generator, count: int) -> Times:
        """Return the first ``count`` times: unit-rate ones, stretched by the integrated rate."""
        state_rng, arrival_rng = rng.spawn(2)
        marks = np.cumsum(arrival_rng.exponential(1.0, count))
        switches, integrals = self._integrated_rate(state_rng, marks[-1] if count else 0.0)
        return np.interp(marks, integrals, switches)

    def _integrated_rate(self, rng: np.random.Generator, needed: float) -> tuple[Times, Times]:
        """Return the times at which the rate switches and its integral up to each of them."""
        share_high = self.mean_high_s / (self.mean_low_s + self.mean_high_s)
        high = bool(rng.random() < share_high)
        time_s = integral = 0.0
        switches, integrals = [time_s], [integral]
        while integral < needed:
            stay_s = rng.exponential(self.mean_high_s if high else self.mean_low_s)
            time_s += stay_s
            integral += stay_s * (self.high_per_s if high else self.low_per_s)
            switches.append(time_s)
            integrals.append(integral)
            high = not high
        return np.array(switches), np.array(integrals)

    def staggered(self, rng: np.random.Generator) -> "Bursts":  # noqa: ARG002 (random anyway)
        """Return the process itself: another generator makes another stream."""
        return self


@dataclass(frozen=True, slots=True)
class Closed:
    """So many clients, each of which sends its next request ``think_s`` after its last one ended.

    All begin at once, at 0. When the others come is for the run to tell (see `sim.source`).
    """

    clients: int
    think_s: float = 0.0

    def __post_init__(self) -> None:
        if self.clients < 1:
            raise WorkloadError(f"closed.clients: {self.clients!r}; give at least 1")
        if not 0 <= self.think_s < float("inf"):
            raise WorkloadError(f"closed.think_s: {self.think_s!r}; give a finite time from 0 on")

    @property
    def mean_rate_per_s(self) -> None:
        """None: the rate is what the system can do."""
        return

    def times(self, rng: np.random.Generator, count: int) -> Times:  # noqa: ARG002 (nothing random)
        """Return the times known in advance: the clients' first ones, and no more."""
        return np.zeros(min(count, self.clients))

    def staggered(self, rng: np.random.Generator) -> "Closed":  # noqa: ARG002 (nothing random)
        """Return the loop itself: other origins have as many clients."""
        return self
