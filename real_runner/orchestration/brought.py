"""One thing that requests bring along, as the messages that carry it to a worker."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from real_runner.control.messages import control
from real_runner.executor import Array
from real_runner.wire.payloads import payload_message
from workloads.stage import Payload

_PART_BYTES = 1 << 20


class Brought(NamedTuple):
    """An array and what it is; one that is kept before the run has a ``slot``."""

    payload: Payload
    array: Array
    slot: int = 0

    def message(self) -> Any:
        """Return it whole."""
        return control.Content(
            payload=payload_message(self.payload),
            dtype=str(self.array.dtype),
            shape=self.array.shape,
            content=self.array.tobytes(),
        )

    def parts(self) -> Iterator[Any]:
        """Yield a vector in pieces that messages have room for, to be kept in its slot."""
        for start in range(0, len(self.array), _PART_BYTES):
            part = self._replace(array=self.array[start : start + _PART_BYTES])
            yield control.Keep(slot=self.slot, content=part.message(), continued=start > 0)
