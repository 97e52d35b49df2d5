"""What differs from cell to cell of a sweep: settings of a scenario, and parameters of policies."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product
from string import Formatter

from sim.errors import ScenarioError

At = tuple[tuple[str, str], ...]
"""What each axis is set to."""

POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Axis:
    """The values that one setting takes in turn, written as for ``--set``."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario of a sweep: its place, its policy, and what each axis is set to.

    An axis that means nothing to the policy is set to nothing.
    """

    number: int
    policy: str
    at: At


def parse_axis(text: str, option: str = "--axis") -> Axis:
    """Return the axis that ``key=value,value`` describes; `ScenarioError` where it is none.

    The error names the ``option`` that the text was given with.

    >>> parse_axis("view_age=0ms,50ms").values
    ('0ms', '50ms')
    """
    key, equals, values = text.partition("=")
    found = tuple(value.strip() for value in values.split(","))
    if not equals or not key.strip() or not all(found):
        raise ScenarioError(
            f"{option} {text!r}: write it as key=value,value, e.g. view_age=0s,50ms"
        )
    if len(set(found)) < len(found):
        raise ScenarioError(f"{option} {text!r}: has a value twice; give each once")
    return Axis(key.strip(), found)


def cells(policies: Sequence[str], axes: Sequence[Axis]) -> tuple[Cell, ...]:
    """Return every combination of policies and values, the last axis varying quickest.

    A policy may name an axis in braces, as in ``sharded/deferred:clouds={clouds}``; such an axis
    is one of policies' parameters, and any other one of the scenario's settings. Raises
    `ScenarioError` for two axes of one key, or a policy that names none of them.
    """
    keys = [axis.key for axis in axes]
    if POLICY in keys:
        raise ScenarioError(f"--axis {POLICY}: give each policy by --policy")
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ScenarioError(f"--axis {twice[0]}: is given twice; give all values at once")
    wanted = {policy: _named(policy, keys) for policy in policies}
    own = {key for named in wanted.values() for key in named}
    found = dict.fromkeys(
        (policy.format_map(dict(at)), _meant(at, own - set(named)))
        for policy, named in wanted.items()
        for at in _combinations(axes)
    )
    return tuple(Cell(number, policy, at) for number, (policy, at) in enumerate(found))


def settings_of(cell: Cell, policies: Iterable[str]) -> list[str]:
    """Return what a cell changes of the scenario, as for ``--set``."""
    own = {key for policy in policies for key in placeholders(policy)}
    return [f"{key}={value}" for key, value in cell.at if key not in own]


def placeholders(policy: str) -> tuple[str, ...]:
    """Return the axes that a policy names; `ScenarioError` for a brace without its fellow."""
    try:
        return tuple(name for _, name, _, _ in Formatter().parse(policy) if name is not None)
    except ValueError as error:
        raise ScenarioError(f"--policy {policy!r}: {error}") from error


def _named(policy: str, keys: Sequence[str]) -> tuple[str, ...]:
    named = placeholders(policy)
    for name in named:
        if name not in keys:
            raise ScenarioError(f"--policy {policy!r}: there is no axis {name!r}; give --axis")
    return named


def _meant(at: At, other: AbstractSet[str]) -> At:
    """Return where a cell lies, without the axes of other policies than its own."""
    return tuple((key, "" if key in other else value) for key, value in at)


def _combinations(axes: Sequence[Axis]) -> Iterator[At]:
    keys = [axis.key for axis in axes]
    for values in product(*(axis.values for axis in axes)):
        yield tuple(zip(keys, values, strict=True))
