"""What to try next: asked of Optuna, told what came of it.

Proposals are by the tree-structured Parzen estimator (Bergstra and others, "Algorithms for
hyper-parameter optimization", NIPS 2011). Asked and told the same in the same order it proposes the
same, so nothing of it need be kept.
"""

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

from experiments.extras import needs
from experiments.searches.space import Space
from experiments.sweeps.axes import Cell

if TYPE_CHECKING:
    from optuna import Trial


class Proposals:
    """Cells of a ``space`` to try, the likelier the better their like were; ``seed`` is chance's.

    Raises `real_runner.errors.RealRunError` where Optuna is not installed.
    """

    def __init__(self, space: Space, seed: int, *, greatest: bool) -> None:
        with needs("search"):
            import optuna  # noqa: PLC0415 - an extra
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(
            sampler=sampler, direction="maximize" if greatest else "minimize"
        )
        self._pruned = optuna.trial.TrialState.PRUNED
        self._space = space
        self._open: dict[int, Trial] = {}

    def ask(self) -> Cell:
        """Return the next cell, numbered from 0."""
        trial = self._study.ask()
        self._open[trial.number] = trial
        return self._space.cell(trial)

    def tell(self, number: int, value: float | None, excesses: Mapping[str, float]) -> None:
        """Tell the value of a cell, if it has one, and by how much it breaks each limit."""
        trial = self._open.pop(number)
        for limit, excess in excesses.items():
            trial.set_constraint(limit, excess)
        if value is None:
            trial.set_constraint("has a value", inf)  # there is nothing worse to be avoided
            self._study.tell(trial, state=self._pruned)
        else:
            self._study.tell(trial, value)
