import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from real_runner.errors import StepError
from real_runner.wire.compression import compress, decompress


@given(content=st.binary(max_size=3000))
def test_what_was_compressed_comes_back(content):
    data = np.frombuffer(content, np.uint8)
    np.testing.assert_array_equal(decompress(compress(data), data.size), data)


def test_large_content_comes_back():
    data = np.random.default_rng(3).integers(0, 9, 5_000_000, dtype=np.uint8)
    compressed = compress(data)
    assert compressed.size < data.size / 2
    np.testing.assert_array_equal(decompress(compressed, data.size), data)


@pytest.mark.parametrize("size", [99, 101])
def test_a_frame_of_another_size_is_refused(size):
    with pytest.raises(StepError, match=f"than the {size} bytes it should"):
        decompress(compress(np.zeros(100, np.uint8)), size)


def test_a_frame_that_asks_for_a_large_window_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    bomb = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = bomb.compress(bytes(1000)) + bomb.flush()
    with pytest.raises(StepError, match=r"compression: .*memory"):
        decompress(np.frombuffer(frame, np.uint8), 1000)


@given(content=st.binary(min_size=1, max_size=200))
def test_what_is_no_frame_is_refused(content):
    with pytest.raises(StepError, match="compression: "):
        decompress(np.frombuffer(content, np.uint8), 300)
