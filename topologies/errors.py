"""What goes wrong in a description of the world, said in one line."""

import math
from collections.abc import Iterable
from difflib import get_close_matches


class TopologyError(ValueError):
    """A description that cannot be used; the message names place, value and remedy."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the nearest known one, else all of them.

    >>> suggestion("jetsn", ["jetson", "cloud"])
    "did you mean 'jetson'?"
    >>> suggestion("x", ["jetson", "cloud"])
    "use one of 'cloud', 'jetson'"
    """
    names = sorted(known)
    if near := get_close_matches(name, names, n=1):
        return f"did you mean {near[0]!r}?"
    return f"use one of {', '.join(map(repr, names))}"


def require_at_least_0(place: str, name: str, value: float) -> None:
    """Raise `TopologyError` unless ``value``, the figure ``name`` of ``place``, is in order."""
    if not 0 <= value < math.inf:
        raise TopologyError(f"{place}: {name} is {value!r}; it must be finite and at least 0")
