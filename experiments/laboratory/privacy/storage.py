"""Arrays too large for memory: in files that have no name and end with them."""

import os
from math import prod
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np
import numpy.typing as npt

from real_runner.errors import RealRunError


def on_disk(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of zeros in the folder for temporary files (``TMPDIR``).

    Raises `RealRunError` where there is no room for it.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    with TemporaryFile() as file:
        try:
            # A file with holes would be quicker made, and a full disk met later by a bus error.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise RealRunError(
                f"{gettempdir()}: no room for {size / 1e9:.1f} GB of what clouds hold "
                f"({error.strerror}); have TMPDIR name a folder with more"
            ) from error
        return np.memmap(file, dtype, "r+", shape=shape)
