"""What a topology file may say of a link that changes: steps, a trace, or a made-up one."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from topologies.documents import BitsPerS, Seconds, Strict
from topologies.errors import TopologyError
from topologies.mahimahi import read_mahimahi
from topologies.markov import Radio, radio_conditions, radio_schedule
from topologies.schedules import Schedule


class RadioDocument(Strict):
    """A radio link made up from a seed, about the link's own rate and delay."""

    kind: Radio
    seed: int = Field(default=0, ge=0)
    duration_s: Seconds = Field(default=60.0, description="after which it repeats")
    step_s: Seconds = Field(default=0.1, description="for which rate and delay stay the same")


class ScheduleDocument(Strict):
    """Rate and delay over time, in one of three ways."""

    steps: tuple[tuple[Seconds, BitsPerS], ...] = Field(
        default=(), description="pairs of a moment, from 0s on, and the rate from then on"
    )
    delays_s: tuple[Seconds, ...] = Field(
        default=(), description="one-way, one for each step; the link's own where left out"
    )
    period_s: Seconds | None = Field(default=None, description="after which the steps repeat")
    mahimahi: str = Field(default="", description="a trace's file, relative to this one's folder")
    bin_s: Seconds = Field(default=0.1, description="over which a trace is averaged")
    radio: RadioDocument | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum([bool(self.steps), bool(self.mahimahi), self.radio is not None]) != 1:
            raise TopologyError("give exactly one of steps, mahimahi and radio")
        if not self.steps and (self.delays_s or self.period_s is not None):
            raise TopologyError("delays and period belong to steps; remove them")
        return self

    def schedule(self, rate_bits_per_s: float, delay_s: float, folder: Path) -> Schedule:
        """Return the schedule described, of a link that has this rate and delay otherwise."""
        if self.mahimahi:
            return read_mahimahi(folder / self.mahimahi, self.bin_s)
        if self.radio is not None:
            radio = self.radio
            return radio_schedule(radio_conditions(radio.kind), rate_bits_per_s, delay_s,
                                  radio.duration_s, radio.seed, radio.step_s)  # fmt: skip
        starts_s, rates = zip(*self.steps, strict=True)
        return Schedule(starts_s, rates, self.delays_s, self.period_s)

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Return the document of a schedule, its steps written out; `schedule` undoes it."""
        steps = tuple(zip(schedule.starts_s, schedule.rates_bits_per_s, strict=True))
        return cls.model_validate(
            {"steps": steps, "delays": schedule.delays_s, "period": schedule.period_s}
        )
