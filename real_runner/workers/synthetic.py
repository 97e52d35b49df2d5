"""A node without a model: the right number of bytes, and nothing in them."""

from collections.abc import Callable

import numpy as np

from real_runner.executor import NOTHING, Array, Made, expected_shape, is_bytes, never
from workloads.stage import Payload, Stage


class SyntheticExecutor:
    """Computes nothing; its device is held for the modelled time by whoever calls it."""

    def put(self, job: int, payload: Payload, array: Array) -> None:
        """Drop what has arrived."""

    def get(self, job: int, payload: Payload) -> Array:  # noqa: ARG002 - all jobs are alike
        """Return zeros of the shape that ``payload`` has."""
        return np.zeros(expected_shape(payload), np.uint8 if is_bytes(payload) else np.float32)

    def run(
        self,
        job: int,  # noqa: ARG002 - all jobs are alike
        stages: tuple[Stage, ...],  # noqa: ARG002
        stopped: Callable[[], bool] = never,  # noqa: ARG002
    ) -> Made:
        """Do nothing."""
        return NOTHING

    def forget(self, job: int) -> None:
        """Do nothing: there is nothing."""
