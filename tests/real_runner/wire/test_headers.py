"""A header is believed only where it could be true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from real_runner.errors import StepError
from real_runner.wire.headers import check_array, read_header, write_header
from real_runner.wire.limits import Limits
from real_runner.wire.messages import load
from workloads.stage import Payload

HEADER = load("real_runner/wire/parcel.proto").Header
LIMITS = Limits()


def changed(parcel, **changes):
    header = HEADER.FromString(write_header(parcel, 960, compressed=False))
    for name, value in changes.items():
        place, _, last = name.rpartition("__")
        owner = getattr(header, place) if place else header
        if isinstance(value, list):
            del getattr(owner, last)[:]
            getattr(owner, last).extend(value)
        else:
            setattr(owner, last, value)
    return header.SerializeToString()


def test_what_a_parcel_says_comes_back(make_parcel):
    parcel = make_parcel(trace="00-1-2-3", codec="int8")
    announced = read_header(write_header(parcel, 264, compressed=False), LIMITS)
    again = announced.parcel(parcel.array)
    assert (again.payload, again.codec, again.trace) == (parcel.payload, "int8", "00-1-2-3")
    assert (again.run, again.job, again.attempt, again.step) == ("run", 7, 1, 3)
    assert (again.source, again.target, again.queued_ns, again.start_ns) == ("a", "b", 10, 20)
    assert again.size_bytes == 264


def test_memory_is_promised_for_all_that_is_held_at_one_time(make_parcel):
    parcel = make_parcel(codec="int8")
    plain = read_header(write_header(parcel, 264, compressed=False), LIMITS)
    compressed = read_header(write_header(parcel, 100, compressed=True), LIMITS)
    assert plain.held_bytes == 264 + 960
    assert compressed.held_bytes == 100 + 264 + 960


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 1}, "protocol version 1, this node speaks 2; install"),
        ({"codec": "int3"}, "codec 'int3' is unknown"),
        ({"compression": "lz4"}, "compression 'lz4' is unknown"),
        ({"dtype": "object"}, r"object \(6, 40\); it should be \(6, 40\) of float64"),
        ({"dtype": "uint8"}, "uint8"),
        ({"shape": [40, 6]}, r"float32 \(40, 6\); it should be"),
        ({"shape": [240]}, r"\(240,\)"),
        ({"shape": []}, r"\(\)"),
        ({"payload__elements": -240}, "a negative or infinite size"),
        ({"payload__tokens": 0}, "240 elements are no whole number for each of 0 tokens"),
        ({"payload__tokens": 7}, "of 7 tokens"),
        ({"payload__elements": 0}, "bytes travel as a uint8 vector"),
        ({"payload__fixed_bytes": 8.0}, "both numbers and bytes"),
        ({"payload__fixed_bytes": float("nan")}, "a negative or infinite size"),
        ({"payload__fixed_bytes": float("inf")}, "a negative or infinite size"),
        ({"payload__blocks_done": -1}, "a negative or infinite size"),
        ({"size_bytes": 959}, "size_bytes 959 where the payload has 960"),
        ({"size_bytes": -1}, "size_bytes -1"),
        ({"compression": "zstd"}, "size_bytes 960 where the payload has 960"),
        ({"compression": "zstd", "size_bytes": 0}, "size_bytes 0"),
        ({"payload__elements": 1 << 40, "payload__tokens": 1, "shape": [1, 1 << 40]}, "at most"),
        ({"payload__elements": 1 << 62, "payload__tokens": 1, "shape": [1, 1 << 62]}, "at most"),
    ],
)
def test_what_cannot_be_true_is_refused(make_parcel, changes, reason):
    with pytest.raises(StepError, match=reason):
        read_header(changed(make_parcel(), **changes), LIMITS)


@pytest.mark.parametrize("shape", [[-5], [1 << 40], [2, 2], []])
def test_bytes_of_an_impossible_shape_are_refused(make_parcel, shape):
    parcel = make_parcel(payload=Payload("mask", fixed_bytes=960), array=np.zeros(960, np.uint8))
    with pytest.raises(StepError, match=r"uint8 vector|at most"):
        read_header(changed(parcel, shape=shape, size_bytes=shape[0] if shape else 0), LIMITS)


def test_bytes_may_turn_out_more_or_fewer_than_the_payload_foresaw():
    check_array(Payload("image", fixed_bytes=1000.5), "uint8", (1400,))
    check_array(Payload("image", fixed_bytes=1000.5), "uint8", (0,))


def test_a_header_that_is_too_long_is_refused(make_parcel):
    header = write_header(make_parcel(trace="x" * 70_000), 960, compressed=False)
    with pytest.raises(StepError, match=r"header of 70\d+ bytes; at most 65536"):
        read_header(header, LIMITS)


@given(message=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(message):
    with pytest.raises(StepError):
        read_header(message, LIMITS)


@given(data=st.data())
def test_a_damaged_header_is_read_or_refused_and_promises_no_more_than_it_may(make_parcel, data):
    header = bytearray(write_header(make_parcel(), 960, compressed=False))
    for _ in range(data.draw(st.integers(1, 4))):
        header[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    try:
        announced = read_header(bytes(header), LIMITS)
    except StepError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are right
    else:
        assert announced.held_bytes <= 3 * LIMITS.parcel_bytes
