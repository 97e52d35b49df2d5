"""Policies, their parameters and what is said of them."""

from dataclasses import MISSING, Field, fields
from typing import Any

from reference.prose import code, table, told
from sim.policies.registry import ALL_POLICIES, PAINTING, POLICIES, WRITING, Entries, describe

_OPENING = """# Policies

A policy is written `NAME`, `NAME:key=value,key=value`, or `path/to/file.py:Class:key=value`;
`tessera list policies` prints the first line of each. To write one, see
[Write a policy](../how-to/policy.md).
"""

_FAMILIES = (
    ("Models that look at a picture", POLICIES),
    ("Models that answer a prompt with text", WRITING),
    ("Models that answer a prompt with a picture", PAINTING),
)


def page() -> str:
    """Return the page: the names of each family, then each class with its parameters."""
    overview = (f"## {title}\n\n{_names(entries)}" for title, entries in _FAMILIES)
    kinds = dict.fromkeys(kind for kind, _ in ALL_POLICIES.values())
    return "\n".join([_OPENING, *overview, *(_section(kind) for kind in kinds)])


def _names(entries: Entries) -> str:
    rows = ((code(name), describe(name).partition(" [")[0]) for name in entries)
    return table(("policy", "what it does"), rows)


def _section(kind: type[Any]) -> str:
    names = [name for name, (each, _) in ALL_POLICIES.items() if each is kind]
    fixed = {key for each, given in ALL_POLICIES.values() if each is kind for key in given}
    rows = [_row(field) for field in fields(kind) if field.init and field.name not in fixed]
    parameters = table(("parameter", "type", "default"), rows) if rows else "No parameters.\n"
    title = f"## {kind.__name__}\n\nAs {', '.join(map(code, names))}."
    return f"{title}\n\n{told(kind.__doc__)}\n\n{parameters}"


def _row(field: Field[Any]) -> tuple[str, str, str]:
    kind = getattr(field.type, "__name__", None) or str(field.type)
    shown = str(field.type) if "[" in str(field.type) else kind
    default = "" if field.default is MISSING else field.default
    return code(field.name), code(shown.replace("typing.", "")), code(default)
