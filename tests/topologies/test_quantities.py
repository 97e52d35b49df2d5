import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from topologies.errors import TopologyError
from topologies.quantities import (
    EXAMPLES,
    UNITS,
    UNITS_REQUIRED,
    Bytes,
    Kind,
    Seconds,
    format_quantity,
    key_of,
    parse_quantity,
)

SECONDS = TypeAdapter(Seconds)
BYTES = TypeAdapter(Bytes)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("320ms", "duration", 0.32),
        ("1.5s", "duration", 1.5),
        ("200us", "duration", 200e-6),
        ("200 µs", "duration", 200e-6),
        ("2min", "duration", 120.0),
        ("200Mbit/s", "rate", 200e6),
        (" 1 Gbit/s ", "rate", 1e9),
        ("8KiB", "size", 8192.0),
        ("3MB", "size", 3e6),
        ("500km", "distance", 500e3),
        ("204.8GB/s", "bandwidth", 204.8e9),
        ("42.5TFLOP/s", "compute", 42.5e12),
        ("438nJ/bit", "energy_per_bit", 438e-9),
        ("0.09USD/GB", "price_per_byte", 0.09e-9),
        ("1e3ms", "duration", 1.0),
        (".5s", "duration", 0.5),
        ("0s", "duration", 0.0),
    ],
)
def test_text_with_a_unit_becomes_its_si_value(text: str, kind: Kind, value: float) -> None:
    assert parse_quantity(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("320", "duration", "'320' has no unit; write it like '320ms'"),
        ("0", "rate", "'0' has no unit; write it like '200Mbit/s'"),
        ("fast", "rate", "'fast' is no rate; write it like '200Mbit/s'"),
        ("", "size", "'' is no size; write it like '8KiB'"),
        ("-5ms", "duration", "'-5ms' is out of range; a duration is finite and not below 0"),
        ("1e999s", "duration", "'1e999s' is out of range; a duration is finite and not below 0"),
        ("3 km", "size",
         "'3 km': 'km' is no unit of size; use one of B, kB, MB, GB, TB, KiB, MiB, GiB"),
        ("10Gbps", "rate",
         "'10Gbps': 'Gbps' is no unit of rate; use one of bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s"),
    ],
)  # fmt: skip
def test_wrong_text_is_refused_with_the_remedy(text: str, kind: Kind, message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        parse_quantity(text, kind)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", UNITS)
def test_the_example_of_every_kind_is_valid(kind: Kind) -> None:
    assert parse_quantity(EXAMPLES[kind], kind) > 0


@given(
    value=st.floats(min_value=0, allow_infinity=False, allow_nan=False),
    kind=st.sampled_from(sorted(UNITS)),
)
def test_formatting_loses_nothing(value: float, kind: Kind) -> None:
    assert parse_quantity(format_quantity(value, kind), kind) == value


def test_formatting_picks_a_handy_unit() -> None:
    assert format_quantity(25e9, "rate") == "25Gbit/s"
    assert format_quantity(0.0, "duration") == "0s"
    assert format_quantity(0.0003, "duration") in {"0.3ms", "300us"}


def test_python_passes_plain_numbers_and_text() -> None:
    assert SECONDS.validate_python(0.5) == 0.5
    assert SECONDS.validate_python("500ms") == 0.5


@pytest.mark.parametrize("bare", [320, 0.32, True])
def test_files_must_give_a_unit(bare: object) -> None:
    with pytest.raises(ValidationError, match="has no unit; write it like '320ms'"):
        SECONDS.validate_python(bare, context=UNITS_REQUIRED)


@pytest.mark.parametrize("bad", [-1.0, math.inf, math.nan])
def test_python_numbers_out_of_range_are_refused(bad: float) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(bad)


def test_bytes_are_whole() -> None:
    assert BYTES.validate_python("8KiB") == 8192
    assert isinstance(BYTES.validate_python("8KiB"), int)
    with pytest.raises(ValidationError, match="fractional"):
        BYTES.validate_python("0.1KiB")


def test_json_holds_text_and_python_holds_numbers() -> None:
    assert SECONDS.dump_python(0.32) == 0.32
    assert SECONDS.dump_python(0.32, mode="json") == "0.32s"


def test_the_json_schema_asks_for_text_with_a_unit() -> None:
    schema = SECONDS.json_schema()
    assert schema["type"] == "string"
    assert "ms" in schema["pattern"]


@pytest.mark.parametrize(
    ("name", "key"),
    [("delay_s", "delay"), ("back_rate_bits_per_s", "back_rate"), ("distance_m", "distance"),
     ("egress_usd_per_byte", "egress"), ("devices", "devices"), ("edges", "edges")],
)  # fmt: skip
def test_keys_of_files_carry_no_units(name: str, key: str) -> None:
    assert key_of(name) == key
