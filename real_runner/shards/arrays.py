"""Between numpy's arrays, which travel, and torch's tensors, which are computed with."""

import numpy as np
import torch

from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError, StepError
from real_runner.executor import Array

DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

_BOUND_BYTES = 64


def device_of(spec: NodeSpec) -> torch.device:
    """Return what a node computes on; `RealRunError` where it is not there."""
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise RealRunError("device: 'cuda' is not there on this machine; use 'cpu'")
    return torch.device(spec.device)


def numpy_of(tensor: torch.Tensor) -> Array:
    """Return the numbers as numpy has them: bfloat16, which it has not, as float32."""
    plain = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    array: Array = plain.cpu().numpy()
    return array


def tensor_of(
    what: str, array: Array, wanted: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Return what has arrived, of shape ``wanted``; no copy where none is needed.

    Raises `StepError`, beginning with ``what``, unless it holds finite floating-point numbers in
    that shape.
    """
    if array.shape != wanted:
        raise StepError(f"{what}: shape {array.shape}; give {wanted}")
    if array.dtype.kind != "f":
        raise StepError(f"{what}: numbers of type {array.dtype}; give floating-point numbers")
    tensor = torch.from_numpy(array if array.flags.writeable else array.copy()).to(device, dtype)
    if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
        raise StepError(f"{what}: holds numbers that are not finite")
    return tensor


def aligned(tensor: torch.Tensor) -> torch.Tensor:
    """Return numbers that begin where torch would have them begin, copied if need be.

    Kernels are chosen by that, and some round otherwise than others: a matrix product of the very
    same numbers can differ in its last bits.
    """
    return tensor.clone() if tensor.data_ptr() % _BOUND_BYTES else tensor


def bytes_of(what: str, array: Array) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return a vector of bytes that has arrived; `StepError` where it is none."""
    if array.dtype != np.uint8 or array.ndim != 1 or not len(array):
        raise StepError(f"{what}: {array.dtype} of shape {array.shape}; give a vector of uint8")
    return array
