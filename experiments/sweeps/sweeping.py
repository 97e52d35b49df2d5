"""A sweep: its cells simulated, each kept as soon as it is done, and read back as one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from experiments.parts import Parts
from experiments.scenarios.loader import build, read_scenario, scenario_path
from experiments.sequential import Target
from experiments.sweeps.axes import Axis, Cell, cells, parse_axis, settings_of
from experiments.sweeps.engine import Engine, each_of
from experiments.sweeps.simulating import Orders, simulated
from sim.policies.registry import policy_named

_NAME: Final = "cell-{:06d}"


@dataclass(frozen=True)
class Sweep:
    """Every combination of policies and axes of a scenario.

    Raises what users' mistakes raise where the scenario itself, or a policy, is none.
    """

    orders: Orders
    cells: tuple[Cell, ...]

    @classmethod
    def of(
        cls,
        scenario: str,
        policies: Sequence[str] = (),
        axes: Sequence[str | Axis] = (),
        settings: Sequence[str] = (),
        target: Target | None = None,
    ) -> "Sweep":
        """Return the sweep of a shipped scenario or a file; without policies of its own one.

        Axes and settings are written as on the command line: ``key=value,value``, ``key=value``.
        """
        path = scenario_path(scenario)
        document = read_scenario(path, settings)
        named = tuple(policies) or (document.policy,)
        found = cells(named, [parse_axis(each) if isinstance(each, str) else each for each in axes])
        orders = Orders(path.resolve(), tuple(settings), named, target)
        build(document, path)
        for policy in dict.fromkeys(cell.policy for cell in found):
            policy_named(policy)
        for setting in dict.fromkeys(each for cell in found for each in settings_of(cell, named)):
            read_scenario(path, [*settings, setting])
        return cls(orders, found)

    def about(self) -> dict[str, Any]:
        """Return what it is known by: a folder of results is one sweep's."""
        document = read_scenario(self.orders.path, self.orders.settings)
        target = self.orders.target
        return {
            "scenario": document.model_dump(mode="json"),
            "cells": [[cell.policy, dict(cell.at)] for cell in self.cells],
            "until": None if target is None else [target.metric, target.fraction, target.most],
        }

    def run(
        self,
        parts: Parts,
        engine: Engine = "local",
        workers: int = 0,
        address: str = "",
        told: Callable[[], None] = lambda: None,
    ) -> pd.DataFrame:
        """Simulate what ``parts`` has not yet, and return all rows, in the order of the cells.

        ``told`` is told of each cell that is done.
        """
        found = {cell.number: parts.get(_NAME.format(cell.number)) for cell in self.cells}
        missing = [cell for cell in self.cells if found[cell.number] is None]
        for _ in range(len(self.cells) - len(missing)):
            told()
        work = partial(simulated, self.orders)
        for row in each_of(work, missing, engine, workers, address):
            number = int(row["cell"].iloc[0])
            parts.keep(_NAME.format(number), row)
            found[number] = row
            told()
        return pd.concat([found[cell.number] for cell in self.cells], ignore_index=True)


def sweep(
    scenario: str,
    policies: Sequence[str] = (),
    axes: Sequence[str | Axis] = (),
    settings: Sequence[str] = (),
    out: Path | str | None = None,
    target: Target | None = None,
) -> pd.DataFrame:
    """Simulate every combination, and return a row for each; see `Sweep`.

    Where ``out`` names a folder, each row is kept there, and what is there already is not
    simulated again.
    """
    asked = Sweep.of(scenario, policies, axes, settings, target)
    with Parts(None if out is None else Path(out), asked.about()) as parts:
        return asked.run(parts)
