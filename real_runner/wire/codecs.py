"""Numbers as bytes for the wire, in the formats of `workloads.codec`; little-endian throughout.

Floating-point formats are the numbers, row by row. The affine formats hold, for a matrix of
``tokens`` rows, the rows' scales (fp16), the rows' offsets (fp16), then all numbers as integers q,
int4 with two to a byte (the first in the low half); a number is ``offset + scale * q``. The
encoder rounds offsets down and scales up to fp16 *before* it quantises with them, so that the
range is always covered and no number is further off than half a scale (plus fp32 arithmetic).

fp8 holds the rows' scales (fp16), then all numbers as E4M3 (Micikevicius et al. 2022, arXiv
2209.05433: up to 448, three bits of mantissa, no infinity); a number is ``scale * q``. The scale
brings the row's largest number to 448, so a number is off by at most a 16th of itself, or by
2⁻¹⁰ scales if it is tiny.

Where torch converts faster than numpy (to and from fp16: three to ten times) it does the work.
"""

import sys
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from real_runner.errors import StepError
from real_runner.executor import Array
from workloads.codec import Codec, codec_named

Bytes = npt.NDArray[np.uint8]

DTYPES: Final = {"float64": 8, "float32": 4, "float16": 2}
"""What numbers may be before they are encoded and after they are decoded, and their bytes."""

_FLOATS: Final = {
    "fp64": torch.float64, "fp32": torch.float32, "fp16": torch.float16,
    "float64": torch.float64, "float32": torch.float32, "float16": torch.float16,
}  # fmt: skip
_LEVELS: Final = {"int8": 255, "int4": 15}
_SMALLEST_FP16: Final = np.float16(2**-24)
_E4M3: Final = torch.float8_e4m3fn
_E4M3_MOST: Final = np.float32(448)


def encoded_bytes(codec_name: str, shape: tuple[int, ...]) -> int:
    """Return the size of a matrix of ``shape`` on the wire; half a byte at the end counts whole.

    >>> encoded_bytes("int8", (2, 768))
    1544
    """
    tokens, width = shape
    return -int(-codec_named(codec_name).encoded_bytes(tokens * width, tokens) // 1)


def is_plain(codec_name: str, dtype: str) -> bool:
    """Whether numbers of ``dtype`` travel as they lie in memory, with nothing to convert."""
    return bool(_FLOATS.get(codec_name) == _FLOATS[dtype])


def encode(array: Array, codec_name: str) -> Bytes:
    """Write a matrix of floating-point numbers, one row per token, shape ``(bytes,)``.

    The result shares the array's memory where there is nothing to convert. Raises `StepError`
    where the codec cannot hold a number.
    """
    _little_endian()
    codec = codec_named(codec_name)
    contiguous = np.ascontiguousarray(array)
    if codec.name in _LEVELS:
        return _quantise(contiguous, codec)
    if codec.name == "fp8":
        return _scale_down(contiguous)
    if is_plain(codec.name, contiguous.dtype.name):
        return as_bytes(contiguous)
    return _convert(contiguous, codec.name)


def decode(data: Bytes, codec_name: str, shape: tuple[int, ...], dtype: str) -> Array:
    """Read what `encode` wrote as a matrix of ``shape`` and ``dtype``.

    The result shares the memory of ``data`` where there is nothing to convert. ``data`` must have
    `encoded_bytes` bytes, and ``shape`` at least one row. Any bytes decode to some numbers.
    """
    _little_endian()
    codec = codec_named(codec_name)
    if codec.name in _LEVELS:
        return _restore(data, codec, shape, dtype)
    if codec.name == "fp8":
        return _scale_up(data, shape, dtype)
    numbers = torch.from_numpy(data).view(_FLOATS[codec.name]).reshape(shape)
    restored: Array = numbers.to(_FLOATS[dtype]).numpy()
    return restored


def as_bytes(array: Array) -> Bytes:
    """Return the memory of a contiguous array as a vector of bytes."""
    return array.reshape(-1).view(np.uint8)


def _little_endian() -> None:
    if sys.byteorder != "little":
        raise StepError("this machine is big-endian; the wire is little-endian, use another")


def _convert(array: Array, name: str) -> Bytes:
    numbers, target = _tensor(array), _FLOATS[name]
    if target.itemsize < numbers.dtype.itemsize and numbers.numel():
        for bound in map(float, torch.aminmax(numbers)):
            if torch.finfo(target).max < abs(bound) < inf:
                raise StepError(
                    f"codec {name}: it cannot hold {bound:g}; send it with fp32 or fp64"
                )
    return as_bytes(numbers.to(target).numpy())


def _tensor(array: Array) -> torch.Tensor:
    """Return the array as a tensor, which shares its memory where torch has no qualms."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _quantise(array: Array, codec: Codec) -> Bytes:
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
        numbers = array.astype(np.float32, copy=False)
        lowest, highest = numbers.min(axis=1), numbers.max(axis=1)
        offsets = _rounded(lowest, -inf)
        scales = _rounded((highest - offsets) / np.float32(_LEVELS[codec.name]), inf)
    _check_range(codec.name, lowest, highest, np.isfinite(offsets) & np.isfinite(scales))
    steps = np.maximum(scales, _SMALLEST_FP16).astype(np.float32)
    levels = numbers - offsets.astype(np.float32)[:, None]
    levels *= (1 / steps)[:, None]
    whole = np.rint(levels, out=levels).astype(np.uint8)
    written = (scales, offsets, _packed(whole) if codec.bits == 4 else whole)
    return np.concatenate([as_bytes(part) for part in written])


def _scale_down(array: Array) -> Bytes:
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
        numbers = array.astype(np.float32, copy=False)
        lowest, highest = numbers.min(axis=1), numbers.max(axis=1)
        scales = _rounded(np.maximum(-lowest, highest) / _E4M3_MOST, inf)
    _check_range("fp8", lowest, highest, np.isfinite(scales))
    steps = np.maximum(scales, _SMALLEST_FP16).astype(np.float32)
    small = torch.from_numpy(numbers / steps[:, None]).to(_E4M3)
    return np.concatenate([as_bytes(scales), as_bytes(small.view(torch.uint8).numpy())])


def _scale_up(data: Bytes, shape: tuple[int, ...], dtype: str) -> Array:
    tokens, width = shape
    scales = torch.from_numpy(data[: 2 * tokens].view(np.float16)).to(torch.float32)[:, None]
    small = torch.from_numpy(data[2 * tokens :]).view(_E4M3).reshape(tokens, width)
    restored: Array = small.to(torch.float32).mul_(scales).to(_FLOATS[dtype]).numpy()
    return restored


def _rounded(numbers: npt.NDArray[np.float32], towards: float) -> npt.NDArray[np.float16]:
    """Round to fp16 in one direction; what lies beyond its range becomes infinite."""
    nearest = numbers.astype(np.float16)
    next_one = np.nextafter(nearest, np.float16(towards))
    passed = nearest > numbers if towards < 0 else nearest < numbers
    return np.where(passed, next_one, nearest)


def _check_range(
    name: str,
    lowest: npt.NDArray[np.float32],
    highest: npt.NDArray[np.float32],
    fine: npt.NDArray[np.bool_],
) -> None:
    if not fine.all():
        row = int(np.argmin(fine))
        raise StepError(
            f"codec {name}: token {row} goes from {lowest[row]:g} to {highest[row]:g}, which a "
            "scale and an offset in fp16 cannot express; send it with fp32"
        )


def _packed(whole: Bytes) -> Bytes:
    """Put two numbers below 16 into each byte, the first into the low half."""
    flat = whole.reshape(-1)
    if flat.size % 2:
        flat = np.append(flat, np.uint8(0))
    pairs = flat.view(np.uint16)
    return (pairs | (pairs >> 4)).astype(np.uint8)


def _unpacked(data: Bytes, count: int) -> Bytes:
    pairs = data.astype(np.uint16)
    pairs |= pairs << 4
    pairs &= 0x0F0F
    return pairs.view(np.uint8)[:count]


def _restore(data: Bytes, codec: Codec, shape: tuple[int, ...], dtype: str) -> Array:
    tokens, width = shape
    scales, offsets = (
        torch.from_numpy(part.view(np.float16)).to(torch.float32)[:, None]
        for part in (data[: 2 * tokens], data[2 * tokens : 4 * tokens])
    )
    packed = data[4 * tokens :]
    whole = _unpacked(packed, tokens * width) if codec.bits == 4 else packed
    numbers = torch.from_numpy(whole.reshape(shape)).to(torch.float32)
    restored: Array = numbers.mul_(scales).add_(offsets).to(_FLOATS[dtype]).numpy()
    return restored
