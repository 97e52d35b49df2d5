"""What a search is for: a figure to make as good as can be, within limits on others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Final

from experiments.metrics import LATENCY_METRICS, PER_REQUEST, TOKEN_METRICS
from sim.errors import ScenarioError
from topologies.errors import suggestion

FIGURES: Final = (
    *LATENCY_METRICS, "throughput_per_s", *PER_REQUEST, "pixels", "pixels_max_node",
    "pixels_max_pair", "mixes", *TOKEN_METRICS,
)  # fmt: skip
_GREATEST: Final = frozenset({"deadline_met", "throughput_per_s", "tokens_per_s"})

Row = Mapping[str, Any]
"""A cell's row of a sweep, see `experiments.sweeps.simulating`."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure that is to be least, or greatest where more of it is better."""

    figure: str

    @property
    def greatest(self) -> bool:
        """Whether more is better."""
        return self.figure in _GREATEST

    def value(self, row: Row) -> float | None:
        """Return the figure; nothing of a cell that failed, or has no steady state to have one."""
        return _figure(row, self.figure)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound that a figure may not exceed, or not fall below where ``at_least``."""

    figure: str
    bound: float
    at_least: bool

    def excess(self, row: Row) -> float:
        """Return by how much the bound is broken, in parts of it; none or less where it is kept."""
        value = _figure(row, self.figure)
        if value is None:
            return inf
        apart = self.bound - value if self.at_least else value - self.bound
        return apart / (abs(self.bound) or 1.0)


def parse_goal(text: str) -> Goal:
    """Return the goal of that name; `ScenarioError`, with the nearest, where there is none."""
    return Goal(_known(text.strip(), f"--goal {text!r}"))


def parse_limit(text: str) -> Limit:
    """Return the limit that ``figure<=number`` or ``figure>=number`` describes.

    >>> parse_limit("pixels<=10%")
    Limit(figure='pixels', bound=0.1, at_least=False)
    """
    place = f"--subject-to {text!r}"
    found = re.fullmatch(r"\s*(\w+)\s*([<>]=)\s*([-+.\de]+)(%?)\s*", text)
    try:
        figure, sign, number, per_cent = found.groups() if found else ("", "", "none", "")
        bound = float(number) / (100 if per_cent else 1)
    except ValueError:
        raise ScenarioError(f"{place}: write it as FIGURE<=NUMBER, e.g. 'pixels<=10%'") from None
    return Limit(_known(figure, place), bound, sign == ">=")


def _known(figure: str, place: str) -> str:
    if figure not in FIGURES:
        raise ScenarioError(f"{place}: no figure {figure!r}; {suggestion(figure, FIGURES)}")
    return figure


def _figure(row: Row, figure: str) -> float | None:
    value = row.get(figure)
    return None if row["error"] or value is None or not isfinite(value) else float(value)
