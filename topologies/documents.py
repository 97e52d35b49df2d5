"""Files that users write: read safely, checked against a model, wrong in one line.

A parser turns text into plain objects (`read_document`), a pydantic model turns those into
values (`parse`). Both name the file, the place in it, the value and the remedy.
"""

import json
from collections.abc import Hashable, Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from topologies.errors import TopologyError, suggestion
from topologies.quantities import (
    UNITS_REQUIRED,
    BitsPerS,
    Bytes,
    BytesPerS,
    FlopsPerS,
    GramsPerKwh,
    JoulesPerBit,
    Metres,
    Seconds,
    Usd,
    UsdPerByte,
    UsdPerHour,
    Watts,
    key_of,
    parse_quantity,
)

__all__ = [
    "BitsPerS", "Bytes", "BytesPerS", "DocumentError", "FlopsPerS", "GramsPerKwh", "JoulesPerBit",
    "Metres", "Seconds", "Strict", "Usd", "UsdPerByte", "UsdPerHour", "Watts", "key_of", "parse",
    "parse_quantity", "read_document", "read_value",
]  # fmt: skip

Model = TypeVar("Model", bound=BaseModel)

_UNKNOWN_KEY: Final = ("extra_forbidden", "unexpected_keyword_argument")  # models, dataclasses
_FEW_LINES: Final = 4096
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class DocumentError(TopologyError):
    """A file that cannot be read or does not fit its model."""


class Strict(BaseModel):
    """Base of frozen models of files: unknown keys are errors, keys carry no units.

    A field `delay_s: Seconds` is the key `delay` in a file, with a value like `2ms`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=key_of)


# Of libyaml, where it is there, ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # one of two bases
    """YAML as JSON sees it: no duplicate keys, and dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - yaml's signature
    ) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            text = str(key.value)
            if text in seen and key.tag != "tag:yaml.org,2002:merge":
                problem = f"duplicate key {text!r}; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(text)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


def read_document(path: Path) -> object:
    """Return the plain objects in a YAML file, or in a JSON file if so named.

    Raises DocumentError: unreadable, malformed (with the line), or a key given twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise DocumentError(f"{path}: cannot be read: {reason}") from error
    try:
        return _from_json(text) if path.suffix == ".json" else _from_yaml(text)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error


def read_value(text: str) -> object:
    """Return the plain objects that a piece of YAML stands for; DocumentError where it is none."""
    return _from_yaml(text)


def _from_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise DocumentError(f"line {error.lineno}: {error.msg}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise DocumentError(f"duplicate key {key!r}; keep one of them")
    return dict(pairs)


def _no_number(constant: str) -> object:
    raise DocumentError(f"{constant} is no JSON number; write a finite one")


def _from_yaml(text: str) -> object:
    """Return objects of the caller's own; the same few lines are read again for every cell."""
    return deepcopy(_remembered(text)) if len(text) <= _FEW_LINES else _loaded(text)


@lru_cache(maxsize=256)
def _remembered(text: str) -> object:
    return _loaded(text)


def _loaded(text: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise DocumentError(f"{line}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DocumentError(" ".join(str(error).split())) from error


def parse(model: type[Model], data: object, place: str) -> Model:
    """Return the model's instance for these plain objects; `place` names where they came from.

    Quantities need their unit. Of several faults the first is told, but where a value fits no
    branch of a union the deepest, and rather than a missing key the misspelt one beside it.

    Raises DocumentError: the data do not fit; names place, dotted key, value and remedy.
    """
    try:
        return model.model_validate(data, context=UNITS_REQUIRED)
    except ValidationError as error:
        details, path = _first(error.errors(include_url=False), data, model)
    key = f"{'.'.join(path)}: " if path else ""
    raise DocumentError(f"{place}: {key}{_reason(details, path, model)}")


def _first(
    faults: list[ErrorDetails], data: object, model: type[BaseModel]
) -> tuple[ErrorDetails, list[str]]:
    placed = [(fault, _present(fault, data)) for fault in faults]
    path = placed[0][1]
    told = max((p for p in placed if p[1][: len(path)] == path), key=lambda p: len(p[1]))
    if told[0]["type"] != "missing":
        return told
    parent = told[1][:-1]
    known = _known_keys(model, parent)
    unknown = (p for p in placed if p[0]["type"] in _UNKNOWN_KEY and p[1][:-1] == parent)
    return next((p for p in unknown if p[1][-1] not in known), told)


def _reason(details: ErrorDetails, path: list[str], model: type[BaseModel]) -> str:
    value = details["input"]
    if details["type"] in _UNKNOWN_KEY:
        return f"unknown key; {suggestion(path[-1], _known_keys(model, path[:-1]))}"
    if details["type"] == "missing":
        return "missing; add it"
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    message = details["msg"][0].lower() + details["msg"][1:]
    shown = "a mapping" if isinstance(value, Mapping) else repr(value)
    return f"got {shown}: {message}"


def _present(fault: ErrorDetails, data: Any) -> list[str]:
    """Return where a fault is, as the writer sees it: names of a union's branches left out."""
    path: list[str] = []
    for part in fault["loc"]:
        inside = isinstance(data, list) or (isinstance(data, Mapping) and part in data)
        if inside:
            data = data[part]
            path.append(str(part))
    return [*path, str(fault["loc"][-1])] if fault["type"] == "missing" else path


def _known_keys(model: type[BaseModel], path: list[str]) -> set[str]:
    schema = model.model_json_schema()
    return _keys(schema, schema, path)


def _keys(root: dict[str, Any], schema: dict[str, Any], path: list[str]) -> set[str]:
    """Return the keys that the JSON schema allows in the mapping at this path."""
    if not path:
        return {key for s in _branches(root, schema) for key in s.get("properties", {})}
    found: set[str] = set()
    for branch in _branches(root, schema):
        inner = branch.get("properties", {}).get(path[0])
        inner = inner or branch.get("items") or branch.get("additionalProperties")
        if isinstance(inner, dict):
            found |= _keys(root, inner, path[1:])
    return found


def _branches(root: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _branches(root, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    yield schema
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _branches(root, choice)
