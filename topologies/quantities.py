"""Physical quantities: text with a unit in files and on the command line, SI numbers in Python.

A number without a unit is refused where a file gives it, because nobody can tell 320 seconds
from 320 milliseconds. Python code, whose names carry the unit, passes plain numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from topologies.errors import TopologyError

Kind = Literal[
    "duration", "rate", "size", "distance", "bandwidth", "compute", "power", "energy_per_bit",
    "price_per_hour", "price_per_byte", "price", "carbon_intensity",
]  # fmt: skip

# Per kind: unit -> how many of the SI unit (the first one) it is. Decimal text keeps it exact.
UNITS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "duration": {"s": "1", "ms": "1e-3", "us": "1e-6", "µs": "1e-6", "ns": "1e-9", "min": "60",
                 "h": "3600"},
    "rate": {"bit/s": "1", "kbit/s": "1e3", "Mbit/s": "1e6", "Gbit/s": "1e9", "Tbit/s": "1e12"},
    "size": {"B": "1", "kB": "1e3", "MB": "1e6", "GB": "1e9", "TB": "1e12", "KiB": "1024",
             "MiB": "1048576", "GiB": "1073741824"},
    "distance": {"m": "1", "km": "1e3"},
    "bandwidth": {"B/s": "1", "MB/s": "1e6", "GB/s": "1e9", "TB/s": "1e12"},
    "compute": {"FLOP/s": "1", "GFLOP/s": "1e9", "TFLOP/s": "1e12"},
    "power": {"W": "1", "mW": "1e-3", "kW": "1e3"},
    "energy_per_bit": {"J/bit": "1", "uJ/bit": "1e-6", "nJ/bit": "1e-9", "pJ/bit": "1e-12"},
    "price_per_hour": {"USD/h": "1"},
    "price_per_byte": {"USD/B": "1", "USD/GB": "1e-9"},
    "price": {"USD": "1", "mUSD": "1e-3", "uUSD": "1e-6"},
    "carbon_intensity": {"g/kWh": "1", "kg/MWh": "1"},
}  # fmt: skip

EXAMPLES: Final[Mapping[Kind, str]] = {
    "duration": "320ms", "rate": "200Mbit/s", "size": "8KiB", "distance": "500km",
    "bandwidth": "204.8GB/s", "compute": "42.5TFLOP/s", "power": "15W",
    "energy_per_bit": "50nJ/bit", "price_per_hour": "1.006USD/h", "price_per_byte": "0.09USD/GB",
    "price": "0.2uUSD", "carbon_intensity": "350g/kWh",
}  # fmt: skip

NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY: Final = re.compile(rf"\s*({NUMBER})\s*([^\d\s].*?)?\s*")

# Given as pydantic's validation context, it makes a bare number an error.
UNITS_REQUIRED: Final = {"units_required": True}


_UNIT_IN_NAME: Final = re.compile(
    r"_(s|bits_per_s|bytes|m|bytes_per_s|flops_per_s|w|j_per_bit|usd_per_h|usd_per_byte|usd|g_per_kwh)$"
)


def key_of(name: str) -> str:
    """Return the key in a file for a Python name: without the unit, which stands in the value.

    >>> key_of("back_rate_bits_per_s"), key_of("device")
    ('back_rate', 'device')
    """
    return _UNIT_IN_NAME.sub("", name)


def parse_quantity(text: str, kind: Kind) -> float:
    """Return the SI value of a number with a unit: seconds, bits per second, bytes and so on.

    >>> parse_quantity("320ms", "duration"), parse_quantity("8KiB", "size")
    (0.32, 8192.0)

    Raises TopologyError: no number, no unit, a unit of another kind, or a negative value.
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise TopologyError(f"{text!r} is no {_words(kind)}; write it like '{EXAMPLES[kind]}'")
    number, unit = found.groups()
    if unit is None:
        raise TopologyError(f"{text!r} has no unit; write it like '{EXAMPLES[kind]}'")
    if unit not in UNITS[kind]:
        units = ", ".join(UNITS[kind])
        raise TopologyError(f"{text!r}: {unit!r} is no unit of {_words(kind)}; use one of {units}")
    value = float(Decimal(number) * Decimal(UNITS[kind][unit]))
    if not 0 <= value < float("inf"):
        raise TopologyError(f"{text!r} is out of range; a {_words(kind)} is finite and not below 0")
    return value


def format_quantity(value: float, kind: Kind) -> str:
    """Return text that `parse_quantity` turns into exactly this value, in a handy unit.

    >>> format_quantity(2e-3, "duration"), format_quantity(1.5e9, "rate")
    ('2ms', '1.5Gbit/s')
    """
    units = {unit: Decimal(scale) for unit, scale in UNITS[kind].items()}
    exact = Decimal(repr(value))
    texts = [_text(exact / scale, unit) for unit, scale in units.items()]
    return min((t for t in texts if parse_quantity(t, kind) == value), key=len)


def _text(number: Decimal, unit: str) -> str:
    plain = f"{number.normalize():f}"
    short = plain if len(plain) <= 12 else str(number.normalize())
    return f"{short}{unit}"


def _words(kind: Kind) -> str:
    return kind.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Pydantic annotation: the field reads text with a unit, holds the SI number, writes text."""

    kind: Kind

    def read(self, value: object, info: ValidationInfo) -> object:
        """Turn text into its SI number; refuse a bare number where units are required."""
        if isinstance(value, str):
            return parse_quantity(value, self.kind)
        bare = isinstance(value, int | float)
        if bare and (info.context or {}).get("units_required"):
            raise TopologyError(f"{value!r} has no unit; write it like '{EXAMPLES[self.kind]}'")
        return value

    def write(self, value: float) -> str:
        """Return the value as text with a unit."""
        return format_quantity(value, self.kind)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_before_validator_function(
            self.read,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.write, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        units = "|".join(re.escape(unit) for unit in UNITS[self.kind])
        pattern = rf"^\s*\+?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*(?:{units})\s*$"
        return {"type": "string", "pattern": pattern, "examples": [EXAMPLES[self.kind]]}


_FINITE: Final = Field(ge=0, allow_inf_nan=False)

Seconds = Annotated[float, _FINITE, Quantity("duration")]
BitsPerS = Annotated[float, _FINITE, Quantity("rate")]
Bytes = Annotated[int, Field(ge=0), Quantity("size")]
Metres = Annotated[float, _FINITE, Quantity("distance")]
BytesPerS = Annotated[float, _FINITE, Quantity("bandwidth")]
FlopsPerS = Annotated[float, _FINITE, Quantity("compute")]
Watts = Annotated[float, _FINITE, Quantity("power")]
JoulesPerBit = Annotated[float, _FINITE, Quantity("energy_per_bit")]
UsdPerHour = Annotated[float, _FINITE, Quantity("price_per_hour")]
UsdPerByte = Annotated[float, _FINITE, Quantity("price_per_byte")]
Usd = Annotated[float, _FINITE, Quantity("price")]
GramsPerKwh = Annotated[float, _FINITE, Quantity("carbon_intensity")]
