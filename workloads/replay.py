"""Arrivals replayed from a file of times."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workloads.arrivals import Times
from workloads.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Replay:
    """Times read from a text file: seconds, one per line, ascending; every origin replays them.

    Raises `WorkloadError` naming file and line if the file cannot be read so.
    """

    path: Path
    times_s: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times_s", _read_times(Path(self.path)))

    @property
    def mean_rate_per_s(self) -> float | None:
        """Gaps per second between the first and the last time; None for fewer than two."""
        span_s = self.times_s[-1] - self.times_s[0]
        return (len(self.times_s) - 1) / span_s if span_s else None

    def times(self, rng: np.random.Generator, count: int) -> Times:  # noqa: ARG002 (nothing random)
        """Return the first ``count`` times, or raise `WorkloadError` if there are fewer."""
        if count > len(self.times_s):
            raise WorkloadError(
                f"{self.path}: {count} times are needed and the file holds {len(self.times_s)}; "
                "ask for fewer requests or give a longer file"
            )
        return np.array(self.times_s[:count])

    def staggered(self, rng: np.random.Generator) -> "Replay":  # noqa: ARG002 (nothing random)
        """Return the process itself: what is replayed is not shifted."""
        return self


def _read_times(path: Path) -> tuple[float, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(f"{path}: cannot be read ({error}); give a text file") from error
    times: list[float] = []
    for number, line in enumerate(lines, start=1):
        try:
            time_s = float(line)
        except ValueError:
            time_s = float("nan")
        if not 0 <= time_s < float("inf"):
            raise WorkloadError(f"{path}:{number}: {line!r}; give a time in seconds from 0 on")
        if times and time_s < times[-1]:
            raise WorkloadError(
                f"{path}:{number}: {time_s:g} follows {times[-1]:g}; sort the times"
            )
        times.append(time_s)
    if not times:
        raise WorkloadError(f"{path}: empty; give one time in seconds per line")
    return tuple(times)
