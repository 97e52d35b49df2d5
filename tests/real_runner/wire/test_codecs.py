"""Round trips: what a codec may lose, and that it loses no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from real_runner.errors import StepError
from real_runner.wire.codecs import decode, encode, encoded_bytes
from workloads.codec import CODECS

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
NARROW = st.floats(-60000, 60000, width=32)
TINY = st.floats(-(2**-13), 2**-13, width=32)
LEVELS = {"int8": 255, "int4": 15}


def round_trip(numbers, codec):
    encoded = encode(numbers, codec)
    assert encoded.dtype == np.uint8
    assert encoded.size == encoded_bytes(codec, numbers.shape)
    return decode(encoded, codec, numbers.shape, numbers.dtype.name)


def largest_error(numbers, codec):
    """Half a step of each row's range, where scale and offset are fp16, and fp32 arithmetic."""
    wide = numbers.astype(np.float64)
    lowest, highest = wide.min(axis=1, keepdims=True), wide.max(axis=1, keepdims=True)
    offset_off = np.maximum(np.abs(lowest) * 2**-10, 2**-24)
    span = highest - lowest + offset_off
    step = np.maximum(span / LEVELS[codec] * (1 + 2**-10) + 2**-24, 2**-24)
    return step / 2 + 2**-21 * (span + np.abs(lowest) + np.abs(highest))


@pytest.mark.parametrize("codec", CODECS)
def test_encoded_bytes_are_those_of_the_workload_codec(codec):
    numbers = np.ones((5, 12), np.float32)
    assert encode(numbers, codec).size == CODECS[codec].encoded_bytes(60, 5)


@pytest.mark.parametrize("codec", ["fp64", "fp32"])
@given(numbers=arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_wide_formats_lose_nothing_not_even_nan(codec, numbers):
    np.testing.assert_array_equal(round_trip(numbers, codec), numbers)


@given(numbers=arrays(np.float32, SHAPES, elements=NARROW))
def test_fp16_rounds_to_the_nearest(numbers):
    nearest = numbers.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(round_trip(numbers, "fp16"), nearest)


@pytest.mark.parametrize("codec", LEVELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data())
def test_no_number_is_further_off_than_half_a_step(codec, dtype, data):
    elements = data.draw(st.sampled_from([NARROW, TINY, st.floats(999, 1001, width=32)]))
    numbers = data.draw(arrays(np.float32, SHAPES, elements=elements)).astype(dtype)
    restored = round_trip(numbers, codec)
    assert restored.dtype == dtype
    assert (np.abs(restored - numbers) <= largest_error(numbers, codec)).all()


def test_the_bound_of_int8_is_too_narrow_for_int4():
    numbers = np.linspace(-3, 5, 600, dtype=np.float32).reshape(2, 300)
    error = np.abs(round_trip(numbers, "int4") - numbers)
    assert (error > largest_error(numbers, "int8")).any()


@pytest.mark.parametrize("codec", LEVELS)
@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 1000.3, 1e-7, -65504.0, 65504.0])
def test_constant_rows_come_back_within_the_bound(codec, value):
    numbers = np.full((3, 7), value, np.float32)
    error = np.abs(round_trip(numbers, codec) - numbers)
    assert (error <= largest_error(numbers, codec)).all()


@pytest.mark.parametrize("codec", LEVELS)
def test_zeros_stay_zeros(codec):
    assert not round_trip(np.zeros((4, 9), np.float32), codec).any()


@pytest.mark.parametrize("codec", LEVELS)
def test_rows_do_not_disturb_each_other(codec):
    numbers = np.array([[0.0, 1e-3, 2e-3], [-6e4, 0.0, 6e4]], np.float32)
    error = np.abs(round_trip(numbers, codec) - numbers)
    assert error[0].max() < 1e-3
    assert (error <= largest_error(numbers, codec)).all()


def test_an_odd_number_of_int4_numbers_takes_half_a_byte_more():
    numbers = np.arange(15, dtype=np.float32).reshape(3, 5)
    assert encode(numbers, "int4").size == 8 + 3 * 4
    np.testing.assert_allclose(round_trip(numbers, "int4"), numbers, atol=0.14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data())
def test_no_number_in_fp8_is_further_off_than_a_16th_of_itself_or_half_the_smallest(dtype, data):
    elements = data.draw(st.sampled_from([NARROW, TINY, st.floats(999, 1001, width=32)]))
    numbers = data.draw(arrays(np.float32, SHAPES, elements=elements)).astype(dtype)
    restored = round_trip(numbers, "fp8")
    assert restored.dtype == dtype
    scale = np.abs(numbers).max(axis=1, keepdims=True) / 448 * (1 + 2**-10) + 2**-24
    bound = np.maximum(np.abs(numbers) * (2**-4 + 2**-20), scale * (2**-10 + 2**-20))
    assert (np.abs(restored - numbers) <= bound).all()


def test_fp8_is_worse_than_int8_on_a_flat_row_and_better_on_one_with_an_outlier():
    flat = np.linspace(-1, 1, 400, dtype=np.float32)[None]
    peaked = flat.copy()
    peaked[0, 0] = 300
    for numbers, better in ((flat, "int8"), (peaked, "fp8")):
        errors = {codec: np.abs(round_trip(numbers, codec) - numbers).mean() for codec in CODECS}
        assert min("int8", "fp8", key=errors.__getitem__) == better


def test_zeros_in_fp8_stay_zeros_and_too_large_numbers_are_refused():
    assert not round_trip(np.zeros((4, 9), np.float32), "fp8").any()
    largest = np.full((2, 3), 65504.0 * 448, np.float32)
    np.testing.assert_array_equal(round_trip(largest, "fp8"), largest)
    for value in (1e8, -1e8, np.inf, np.nan):
        with pytest.raises(StepError, match=r"codec fp8: token 1 goes from .*; send it with fp32"):
            encode(np.array([[0.0], [value]]), "fp8")


@pytest.mark.parametrize("codec", LEVELS)
@pytest.mark.parametrize("value", [1e8, -1e6, 1e300, np.inf, np.nan])
def test_what_a_scale_cannot_express_is_refused(codec, value):
    numbers = np.zeros((3, 4))
    numbers[1, 2] = value
    with pytest.raises(StepError, match=f"codec {codec}: token 1 goes from .*; send it with fp32"):
        encode(numbers, codec)


def test_fp16_refuses_to_turn_large_numbers_into_infinity():
    with pytest.raises(StepError, match="codec fp16: it cannot hold 1e"):
        encode(np.full((1, 2), 1e6, np.float32), "fp16")
    assert np.isinf(round_trip(np.full((1, 2), np.inf, np.float32), "fp16")).all()


def test_what_needs_no_conversion_is_not_copied():
    numbers = np.ones((2, 3), np.float32)
    encoded = encode(numbers, "fp32")
    assert np.shares_memory(encoded, numbers)
    assert np.shares_memory(decode(encoded, "fp32", (2, 3), "float32"), numbers)


def test_numbers_that_may_not_be_written_and_rows_apart_are_read_as_they_are():
    numbers = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    numbers.flags.writeable = False
    for codec in CODECS:
        np.testing.assert_allclose(round_trip(numbers, codec), numbers, atol=0.5, rtol=2**-4)
    np.testing.assert_array_equal(numbers[0], [0, 2, 4])


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_any_bytes_decode_to_some_numbers(codec, data):
    size = encoded_bytes(codec, (3, 8))
    received = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8).copy()
    assert decode(received, codec, (3, 8), "float32").shape == (3, 8)
