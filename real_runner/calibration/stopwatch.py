"""How long a computation takes, on a processor or on a GPU."""

import time
from collections.abc import Callable

import torch

Stopwatch = Callable[[Callable[[], None]], float]
"""Runs what it is given and returns the seconds that took."""


def stopwatch_for(device: str) -> Stopwatch:
    """Return what times computations on ``cpu`` or ``cuda``."""
    return on_gpu_s if device == "cuda" else on_processor_s


def on_processor_s(work: Callable[[], None]) -> float:
    """Time by the wall."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def on_gpu_s(work: Callable[[], None]) -> float:
    """Time by events on the GPU's own stream, from an idle GPU to the end of the last kernel."""
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begun.record()
    work()
    ended.record()
    ended.synchronize()
    return float(begun.elapsed_time(ended)) / 1e3
