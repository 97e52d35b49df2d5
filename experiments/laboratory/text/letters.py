"""Letters by a grammar, with secrets in known places: prompts to attack, as many as anybody wants.

Each follows from a seed, a split and a number. Splits share no letter, but all share the grammar,
as an attacker's own texts would.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from workloads.scenes import SPLITS, Split

_NAMES: Final = ("Ada", "Bela", "Chen", "Dara", "Emil", "Fatou", "Gita", "Hugo", "Ines", "Juri")
_PLACES: Final = ("Graz", "Oslo", "Kyoto", "Accra", "Lima", "Turin", "Perth", "Minsk")
_ILLNESSES: Final = ("gout", "asthma", "measles", "migraine", "anaemia", "malaria")
_TEMPLATES: Final = (
    "{name} of {place} has {illness}. Card {card}.",
    "Pay {card} for {name}, {place}; {illness}.",
    "Note: {illness}, {name}. Code {card}, {place}.",
    "{place}: {name} asks about {illness}, pin {card}.",
)
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Letter:
    """A text, and what in it is nobody's business."""

    text: str
    secrets: tuple[str, ...]


def letter(seed: int, split: Split, index: int) -> Letter:
    """Return the letter with this number of a split."""
    sequence = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index, 1))
    generator = np.random.default_rng(sequence)
    words = {
        "name": str(generator.choice(_NAMES)),
        "place": str(generator.choice(_PLACES)),
        "illness": str(generator.choice(_ILLNESSES)),
        "card": "".join(map(str, generator.integers(0, 10, _DIGITS))),
    }
    template = _TEMPLATES[int(generator.integers(len(_TEMPLATES)))]
    return Letter(template.format(**words), tuple(words.values()))
