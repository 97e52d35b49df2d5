"""The attacks that every view meets, and those that only the best of them meet."""

from collections.abc import Iterator
from typing import Final

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.baselines import Interpolation, MeanFill, MeanImage, OtherImage
from experiments.laboratory.attacks.decoder import Decoder
from experiments.laboratory.attacks.inpainting import Inpainting
from experiments.laboratory.attacks.learning import Budget, multiplies_halves
from experiments.laboratory.attacks.optimisation import Descending, Function, Optimisation
from experiments.laboratory.attacks.ridge import Ridge, ShownRidge
from experiments.laboratory.privacy.protocol import Descent, Spending

DESCENT: Final = Optimisation.name


def ignorant() -> Iterator[Attack]:
    """Yield those that know nothing of what they guess, which thresholds are set by."""
    yield MeanImage()
    yield OtherImage()


def quick() -> Iterator[Attack]:
    """Yield what takes seconds."""
    yield MeanFill()
    yield Interpolation()
    yield OtherImage()
    yield from regressions()


def regressions() -> Iterator[Attack]:
    """Yield what every coalition meets, too."""
    yield Ridge()
    yield ShownRidge()


def slow(spending: Spending) -> Iterator[Attack]:
    """Yield the networks, each with the same budget."""
    budget = Budget(
        spending.steps, spending.batch, spending.rate, spending.every, halves=multiplies_halves()
    )
    yield Decoder(budget)
    yield Inpainting(budget)


def descent(function: Function | None, spending: Descent) -> Attack:
    """Return the one that goes through the model, by what a node holds of pictures."""
    return Optimisation(function, Descending(spending.steps, spending.rate, spending.tried))


def attack_named(name: str, spending: Spending) -> Attack:
    """Return one of them, not fitted yet."""
    return next(attack for attack in (*quick(), *slow(spending)) if attack.name == name)
