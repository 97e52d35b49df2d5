"""What arrives at a node that is measured: made up where any numbers do, genuine elsewhere."""

import numpy as np

from real_runner.calibration.scripts import PROMPT
from real_runner.executor import Array, Executor, expected_shape, is_bytes
from real_runner.shards.inputs import captured
from real_runner.shards.ring import INPUT_BITS, WEIGHT_BITS
from workloads.sam.model import Sam
from workloads.sam.shares import RING_BYTES
from workloads.stage import Payload

_SEED = 0


class Contents:
    """Arrays for payloads; pixels come from a picture that ``executor`` itself cut up."""

    def __init__(self, sam: Sam, executor: Executor, job: int) -> None:
        picture, self._prompts = captured(sam, _SEED, 0)
        self._picture: Array = np.frombuffer(picture, np.uint8)
        self._random = np.random.default_rng(_SEED)
        self._executor = executor
        self._job = job
        executor.put(job, sam.captured, self._picture)
        executor.run(job, (sam.prepare,))
        executor.run(job, (sam.partition(),))

    def of(self, payload: Payload) -> Array:
        """Return an array of the shape and type that ``payload`` has."""
        if payload == PROMPT:
            return self._prompts
        if payload.tensor == "image":
            return self._picture
        if payload.tensor in {"share", "product"}:
            return self._of_ring(payload)
        if is_bytes(payload):
            return self._executor.get(self._job, payload)
        return self._random.standard_normal(expected_shape(payload), dtype=np.float32)

    def _of_ring(self, payload: Payload) -> Array:
        """Return a share as any numbers, or a product that stands for one near 1."""
        count = round(payload.fixed_bytes) // RING_BYTES
        if payload.tensor == "share":
            return self._random.integers(0, 256, count * RING_BYTES, dtype=np.uint8)
        near_1 = self._random.standard_normal(count) * 2.0 ** (INPUT_BITS + WEIGHT_BITS)
        return near_1.astype("<i8").view(np.uint8)
