"""What arrives at a node that is measured: made up where any numbers do, genuine elsewhere."""

import numpy as np

from real_runner.calibration.scripts import PROMPT
from real_runner.executor import Array, Executor, expected_shape, is_bytes
from real_runner.shards.inputs import captured
from workloads.sam.model import Sam
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
        if is_bytes(payload):
            return self._executor.get(self._job, payload)
        return self._random.standard_normal(expected_shape(payload), dtype=np.float32)
