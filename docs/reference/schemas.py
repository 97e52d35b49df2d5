"""JSON Schemas as tables: a section per object, a row per key."""

from collections.abc import Mapping
from typing import Any

from reference.prose import code, table, told

Schema = Mapping[str, Any]


def sections(schema: Schema, first: str) -> str:
    """Return a section for the object that ``schema`` describes, and one per object within it."""
    inner = schema.get("$defs", {})
    named = [(first, schema), *((_title(name), each) for name, each in inner.items())]
    return "\n".join(_section(name, each) for name, each in named if "properties" in each)


def _section(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    rows = [_row(key, each, key in required) for key, each in schema["properties"].items()]
    head = ("key", "value", "default", "")
    return f"## {name}\n\n{told(schema.get('description'))}\n\n{table(head, rows)}"


def _row(key: str, schema: Schema, required: bool) -> tuple[str, str, str, str]:  # noqa: FBT001
    default = "required" if required else _default(schema.get("default", ""))
    return code(key), _kind(schema), default, schema.get("description", "")


def _default(value: object) -> str:
    if isinstance(value, Mapping):
        return ""
    return "" if value is None or value == [] else code(value)


def _kind(schema: Schema) -> str:
    """Return in words what a value may be, objects as links to their sections."""
    if "$ref" in schema:
        title = _title(schema["$ref"].rsplit("/", 1)[-1])
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(_kind(each) for each in choices if each != _NULL))
    if "enum" in schema or "const" in schema:
        return ", ".join(map(code, schema.get("enum", [schema.get("const")])))
    return _collection(schema)


def _collection(schema: Schema) -> str:
    kind = schema.get("type", "")
    if kind == "array" and "items" in schema:
        return f"list of {_kind(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"mapping to {_kind(schema['additionalProperties'])}"
    bounds = [f"{sign} {schema[word]}" for word, sign in _BOUNDS.items() if word in schema]
    return " ".join([_WORDS.get(kind) or kind, ", ".join(bounds)]).strip()


def _title(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.strip().removesuffix(" document").capitalize()


_NULL = {"type": "null"}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
