"""Arrays too large for memory: in files that have no name and end with them."""

import os
import tempfile
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from real_runner.errors import RealRunError


def on_disk(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of zeros in the folder for temporary files (``TMPDIR``).

    Raises `RealRunError` where there is no room for it.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    try:
        with tempfile.TemporaryFile() as file:
            # A file with holes would be quicker made, and a full disk met later by a bus error.
            os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:  # of no usable folder, too: then there is no name of one
        raise RealRunError(
            f"{tempfile.tempdir or 'temporary files'}: no room for {size / 1e9:.1f} GB of what "
            f"clouds hold ({error.strerror}); have TMPDIR name a folder with more"
        ) from error
