"""A search: cells that are proposed one after the other, each simulated as a sweep's is.

They are proposed in rounds of `ROUND`, simulated at once and told in order, so that a search is the
same on any number of processors. All see the same arrivals (common random numbers), so that two
with the same parameters are one, simulated once.

Cells are kept as a sweep keeps them, but by what they are. An interrupted search is proposed anew
from its beginning and answered from what is kept: so it goes on as if nothing had happened.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Final

import pandas as pd

from experiments.extras import needs
from experiments.parts import Parts
from experiments.scenarios.loader import build, read_scenario, scenario_path
from experiments.searches.dimensions import Dimension
from experiments.searches.goal import Goal, Limit
from experiments.searches.proposals import Proposals
from experiments.searches.space import Space
from experiments.sequential import Target
from experiments.sweeps.axes import POLICY, Cell
from experiments.sweeps.engine import each_of
from experiments.sweeps.simulating import Orders, simulated

ROUND: Final = 4
"""Cells that are proposed without knowing what comes of one another."""

SETTLED: Final = 40
"""Proposals, all of them of known cells, after which a search has come to its end."""


@dataclass(frozen=True)
class Search:
    """The cell of a space that serves a goal best within limits.

    Raises what users' mistakes raise where the scenario, or anything in the space, is none.
    """

    orders: Orders
    space: Space
    goal: Goal
    limits: tuple[Limit, ...]
    seed: int

    @classmethod
    def of(
        cls,
        scenario: str,
        policies: Sequence[str],
        over: Sequence[Dimension],
        goal: Goal,
        limits: Sequence[Limit] = (),
        settings: Sequence[str] = (),
        target: Target | None = None,
    ) -> "Search":
        """Return the search of a shipped scenario or a file; without policies of its own one."""
        path = scenario_path(scenario)
        document = read_scenario(path, settings)
        built = build(document, path)
        space = Space(tuple(dict.fromkeys(policies)) or (document.policy,), tuple(over))
        space.check(path, settings)
        orders = Orders(path.resolve(), tuple(settings), space.policies, target)
        seed = int(built.generator(0, "search").integers(2**32))
        return cls(orders, space, goal, tuple(limits), seed)

    def about(self) -> dict[str, Any]:
        """Return what it is known by: a folder of results is one search's, however long."""
        target = self.orders.target
        document = read_scenario(self.orders.path, self.orders.settings)
        with needs("search", "optuna"):
            optuna = version("optuna")  # another one may propose other cells
        return {
            "scenario": document.model_dump(mode="json"),
            "policies": self.space.policies,
            "over": [str(each) for each in self.space.dimensions],
            "goal": self.goal.figure,
            "limits": [str(each) for each in self.limits],
            "until": None if target is None else [target.metric, target.fraction, target.most],
            "optuna": optuna,
        }

    def run(
        self, parts: Parts, trials: int, workers: int = 0, told: Callable[[], None] = lambda: None
    ) -> pd.DataFrame:
        """Return a row for each of so many different cells, or of all that it came to.

        A row is a cell's, and ``allowed`` says whether it has the goal's figure and keeps all
        limits. What ``parts`` has already is not simulated. ``told`` is told of each cell.
        """
        proposals = Proposals(self.space, self.seed, greatest=self.goal.greatest)
        known: dict[Cell, pd.DataFrame] = {}
        repeats = 0
        while len(known) < min(trials, self.space.size) and repeats < SETTLED:
            cells = [proposals.ask() for _ in range(ROUND)]
            new = {_alike(cell): cell for cell in reversed(cells) if _alike(cell) not in known}
            fresh = sorted(new.values(), key=lambda cell: cell.number)[: trials - len(known)]
            for row, cell in self._simulated(fresh, parts, workers):
                known[_alike(cell)] = row.assign(cell=cell.number)
                told()
            for cell in cells:
                if _alike(cell) in known:  # else there were trials enough
                    proposals.tell(cell.number, *self._judged(known[_alike(cell)].iloc[0]))
            repeats = 0 if fresh else repeats + ROUND
        rows = pd.concat(known.values()).sort_values("cell", ignore_index=True)
        return rows.assign(allowed=[self._allows(row) for _, row in rows.iterrows()])

    def best(self, rows: pd.DataFrame) -> "pd.Series[Any] | None":
        """Return the best row that is allowed, the first of equals; None where none is."""
        ranked = self.ranked(rows)
        return None if ranked.empty else ranked.iloc[0]

    def ranked(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are allowed, the best first."""
        allowed = rows[rows["allowed"]]
        if allowed.empty:  # perhaps none has even the figure
            return allowed
        ascending = not self.goal.greatest
        return allowed.sort_values(self.goal.figure, ascending=ascending, kind="stable")

    def unseen(self, best: "pd.Series[Any]", parts: Parts) -> "pd.Series[Any]":
        """Return the row of the same cell on arrivals of another seed.

        The best of many owes some of its figure to the arrivals that it was chosen on.
        """
        seed = read_scenario(self.orders.path, self.orders.settings).seed + 1
        orders = replace(self.orders, settings=(*self.orders.settings, f"seed={seed}"))
        at = tuple((each.key, str(best[each.key])) for each in self.space.dimensions)
        cell = Cell(int(best["cell"]), str(best[POLICY]), at)
        row = parts.get(_name("unseen", cell))
        if row is None:
            row = simulated(orders, cell)
            parts.keep(_name("unseen", cell), row)
        return row.iloc[0]

    def _judged(self, row: "pd.Series[Any]") -> tuple[float | None, dict[str, float]]:
        """Return the value of a cell, where it has one, and by how much it breaks each limit."""
        found = {str(name): value for name, value in row.items()}
        return self.goal.value(found), {str(each): each.excess(found) for each in self.limits}

    def _allows(self, row: "pd.Series[Any]") -> bool:
        value, excesses = self._judged(row)
        return value is not None and all(each <= 0 for each in excesses.values())

    def _simulated(
        self, cells: Sequence[Cell], parts: Parts, workers: int
    ) -> Iterator[tuple[pd.DataFrame, Cell]]:
        """Yield the row of each cell; what is not kept is simulated, and kept once it is done."""
        kept = {cell.number: parts.get(_name("cell", cell)) for cell in cells}
        by_number = {cell.number: cell for cell in cells}
        yield from ((row, by_number[each]) for each, row in kept.items() if row is not None)
        missing = [cell for cell in cells if kept[cell.number] is None]
        for row in each_of(partial(simulated, self.orders), missing, "local", workers):
            cell = by_number[int(row["cell"].iloc[0])]
            parts.keep(_name("cell", cell), row)
            yield row, cell


def _name(kind: str, cell: Cell) -> str:
    """Return what a cell's row is kept as, whenever it is proposed."""
    return " ".join((kind, cell.policy, *(f"{key}={value}" for key, value in cell.at)))


def _alike(cell: Cell) -> Cell:
    """Return what cells that differ in nothing but their number have in common."""
    return replace(cell, number=0)
