"""How much carbon dioxide a kilowatt-hour costs: per grid, and as time goes by.

A grid's intensity is a step function of the time since the start of a run, as grid operators
publish it (per quarter of an hour or hour). Where it comes from is part of the value.
"""

import math
from dataclasses import dataclass
from typing import Final

from topologies.errors import TopologyError

ELSEWHERE: Final = "elsewhere"
"""The name under which a topology gives the intensity for all nodes that it names no other for."""


@dataclass(frozen=True, slots=True)
class CarbonIntensity:
    """Grams of CO2 equivalent emitted per kilowatt-hour used.

    `g_per_kwh[i]` holds from `starts_s[i]`, seconds since the start of a run, until the next one
    begins; the last one for ever, or until everything repeats after `period_s`. `source` says
    where the figures come from, or that they are an assumption.

    >>> day = CarbonIntensity((100.0, 400.0), (0.0, 3600.0), 7200.0, "an assumption")
    >>> day.at(1800.0), day.at(3600.0), day.at(7300.0)
    (100.0, 400.0, 100.0)

    Raises TopologyError: figures out of range, moments that do not rise from 0, no source.
    """

    g_per_kwh: tuple[float, ...]
    starts_s: tuple[float, ...] = (0.0,)
    period_s: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "g_per_kwh", tuple(map(float, self.g_per_kwh)))
        object.__setattr__(self, "starts_s", tuple(map(float, self.starts_s)))
        if not self.source:
            raise TopologyError("carbon intensity: no source; name one, or say 'assumption'")
        if len(self.g_per_kwh) != len(self.starts_s) or not self.g_per_kwh:
            raise TopologyError(
                f"carbon intensity: {len(self.g_per_kwh)} values for {len(self.starts_s)} moments; "
                "give one value for each, and at least one"
            )
        for value in self.g_per_kwh:
            if not 0 <= value < math.inf:
                raise TopologyError(
                    f"carbon intensity: {value!r} g/kWh; it must be finite and at least 0"
                )
        if self.starts_s[0] != 0:
            raise TopologyError(
                f"carbon intensity: begins at {self.starts_s[0]!r} s; give a value from 0 s on"
            )
        ends_s = (*self.starts_s[1:], math.inf if self.period_s is None else self.period_s)
        for start_s, end_s in zip(self.starts_s, ends_s, strict=True):
            if not start_s < end_s:
                raise TopologyError(
                    f"carbon intensity: {end_s!r} s follows {start_s!r} s; "
                    "moments must rise, and the period must be later than all of them"
                )

    def at(self, when_s: float) -> float:
        """Return the intensity at a moment."""
        when_s = when_s if self.period_s is None else when_s % self.period_s
        passed = [g for start_s, g in zip(self.starts_s, self.g_per_kwh, strict=True)
                  if start_s <= when_s]  # fmt: skip
        return passed[-1]
