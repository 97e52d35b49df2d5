"""What a page is made of, as values: no HTML yet, and no colours but by name."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

Tone = Literal["good", "bad", "unsure"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A word that stands out, in the colour of its ``tone``; the word itself says all."""

    text: str
    tone: Tone


Cell = str | Mark


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below ``columns``; those in ``words`` are aligned as text, others as numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    words: tuple[str, ...] = ("policy",)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is what, in pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class View:
    """What a figure shows when its choices are set to ``at``, pairs of a choice and its value.

    A chart that says how high it is to be is that high, whatever the figure's own height.
    """

    chart: go.Figure
    at: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A chart in one or several views; ``data`` is all that they show, one table for all.

    ``caption`` says what one sees and how it was worked out. ``height_px`` is how tall it is.
    """

    name: str
    title: str
    caption: str
    views: tuple[View, ...]
    data: pd.DataFrame
    height_px: int = 380

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What can be chosen: each choice with its values, in the order of the views."""
        found: dict[str, dict[str, None]] = {}
        for view in self.views:
            for choice, value in view.at:
                found.setdefault(choice, {})[value] = None
        return {choice: tuple(values) for choice, values in found.items()}


@dataclass(frozen=True)
class CellMap:
    """A figure that the page itself draws from the cells of a sweep, along the axes one chooses.

    ``content`` is what it draws from, plain data; see `experiments.reports.sections.cells`.
    """

    name: str
    title: str
    caption: str
    content: dict[str, object]
    data: pd.DataFrame
    height_px: int = 460


@dataclass(frozen=True)
class Picture:
    """A picture as it is, a PNG's bytes; ``caption`` says what is to be seen in it."""

    title: str
    caption: str
    png: bytes


Part = Figure | CellMap | Table | Facts | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with prose and what stands below it, in order."""

    name: str
    title: str
    prose: tuple[str, ...]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the verdict, which stands before everything else: of whom, what, and how sure."""

    mark: Mark
    subject: str
    figures: str


@dataclass(frozen=True, slots=True)
class Key:
    """What is drawn in a ``colour``, all over a page, and can be hidden."""

    label: str
    colour: str


@dataclass(frozen=True, slots=True)
class Report:
    """A page; ``question`` is what the ``answers`` answer."""

    title: str
    subtitle: str
    question: str
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]
    keys: tuple[Key, ...] = ()
