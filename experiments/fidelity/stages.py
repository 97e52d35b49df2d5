"""From times of whole steps to times of single stages: what a step took, divided among its stages.

A runner notes how long a step took, not each of its stages. The stages of all steps are fitted
together, kind by kind as in `sim.calibration`, and each step's time is divided in proportion. Two
stages that were only ever run in one breath cannot be told apart by that; what the scenario's own
cost model thinks of them decides then, since it takes part in the fit with a small weight.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.fidelity.services import Stages
from sim.calibration import nonnegative
from sim.cost import CostModel
from sim.profiles import Key, Measured
from topologies.device import Device
from workloads.stage import Stage

Floats = npt.NDArray[np.float64]

PRIOR_WEIGHT: Final = 0.05
"""What the cost model's opinion on one stage weighs against the measurement of one step."""


def measured_stages(
    observed: Mapping[Stages, Sequence[float]], prior: CostModel, device: Device
) -> tuple[Measured, ...]:
    """Return a row per distinct stage, from seconds of steps by the stages that they ran."""
    shares = _Shares(observed, prior, device)
    seconds: dict[Key, list[float]] = defaultdict(list)
    example: dict[Key, Stage] = {}
    for stages, taken_s in observed.items():
        parts = shares.of(stages)
        for stage, part in zip(stages, parts, strict=True):
            key = _key(stage)
            example.setdefault(key, stage)
            seconds[key].extend(each * part for each in taken_s)
    return tuple(Measured.of(example[key], each) for key, each in seconds.items())


class _Shares:
    """How much of a step's time each of its stages takes."""

    def __init__(
        self, observed: Mapping[Stages, Sequence[float]], prior: CostModel, device: Device
    ) -> None:
        kinds = dict.fromkeys(stage.kind for stages in observed for stage in stages)
        self._places = {kind: 4 * place for place, kind in enumerate(kinds)}
        medians_s = {stages: median(taken_s) for stages, taken_s in observed.items()}
        prior_s = {s: prior.seconds(s, device) for stages in observed for s in stages}
        scale = median(
            taken_s / max(sum(prior_s[s] for s in stages), _LEAST_S)
            for stages, taken_s in medians_s.items()
        )
        rows = [self._row(stages) / taken_s for stages, taken_s in medians_s.items()]
        wanted = [1.0] * len(rows)
        for stage, seconds in prior_s.items():
            rows.append(PRIOR_WEIGHT * self._row((stage,)) / max(scale * seconds, _LEAST_S))
            wanted.append(PRIOR_WEIGHT)
        self._found = nonnegative(np.array(rows), np.array(wanted))

    def of(self, stages: Stages) -> list[float]:
        """Return the fractions, which sum to 1."""
        parts = np.array([max(self._row((s,)) @ self._found, _LEAST_S) for s in stages])
        fractions: list[float] = (parts / parts.sum()).tolist()
        return fractions

    def _row(self, stages: Stages) -> Floats:
        row = np.zeros(4 * len(self._places))
        for stage in stages:
            place = self._places[stage.kind]
            row[place : place + 4] += (stage.flops, stage.memory_bytes, stage.launches, 1.0)
        return row


_LEAST_S: Final = 1e-9


def _key(stage: Stage) -> Key:
    return (stage.kind, stage.flops, stage.memory_bytes, stage.launches)
