"""Values as JSON knows them: it has neither NaN nor infinity."""

from math import isfinite
from typing import Any


def number(value: float) -> float | None:
    """Return a number, or None for what JSON has no word for."""
    return value if isfinite(value) else None


def finite(value: Any) -> Any:
    """Return plain objects, however deep, with `number` of each number in them."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return number(value) if isinstance(value, float) else value
