"""A plan carried out in this process, one step after the other: what comes of it, without when.

Nodes are no processes and links no links, but what a node works on is what it would have received:
whatever a transfer carries is written for the wire and read again. So thousands of pictures can be
judged by the very plans, stages and codecs that other runners execute, and what each node was sent
is at hand byte for byte.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from real_runner.executor import Array, Executor, is_bytes
from real_runner.wire.codecs import as_bytes, decode, encode
from sim.plan import Compute, Plan, Step, Transfer, Wait
from workloads.stage import Payload


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What one transfer carried: ``data`` as written for the wire, ``array`` as it was read."""

    transfer: Transfer
    data: Array
    array: Array


class Inline:
    """Carries out plans; one executor plays every node, each with a place of its own in it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def run(
        self,
        plan: Plan,
        given: Iterable[tuple[str, Payload, Array]],
        wanted: tuple[str, Payload],
    ) -> tuple[Array, list[Sent]]:
        """Run every step; return what a node then has of what is ``wanted``, and what was sent.

        ``given`` is what nodes begin with. Raises `real_runner.errors.StepError` where a
        step finds not what it needs, or a codec cannot hold a number.
        """
        node, payload = wanted
        with self._places() as places:
            sent = self._carry_out(plan, given, places)
            return self._executor.get(places[node], payload), sent

    def sent(self, plan: Plan, given: Iterable[tuple[str, Payload, Array]]) -> list[Sent]:
        """Run every step; return what was sent. Else as `run`."""
        with self._places() as places:
            return self._carry_out(plan, given, places)

    @contextmanager
    def _places(self) -> Iterator[defaultdict[str, int]]:
        """Give every node that is named a place of its own, and clear all in the end."""
        places = defaultdict[str, int](count().__next__)
        try:
            yield places
        finally:
            for place in places.values():
                self._executor.forget(place)

    def _carry_out(
        self,
        plan: Plan,
        given: Iterable[tuple[str, Payload, Array]],
        places: defaultdict[str, int],
    ) -> list[Sent]:
        for node, payload, array in given:
            self._executor.put(places[node], payload, array)
        return [each for step in plan.steps if (each := self._take(step, places)) is not None]

    def _take(self, step: Step, places: defaultdict[str, int]) -> Sent | None:
        if isinstance(step, Compute):
            self._executor.run(places[step.node], step.stages)
            return None
        if isinstance(step, Wait):
            return None
        array = self._executor.get(places[step.source], step.payload)
        sent = _written(step, array)
        self._executor.put(places[step.target], step.payload, sent.array)
        return sent


def _written(transfer: Transfer, array: Array) -> Sent:
    if is_bytes(transfer.payload):
        data = as_bytes(array)
        return Sent(transfer, data, data)
    data = encode(array, transfer.codec)
    return Sent(transfer, data, decode(data, transfer.codec, array.shape, array.dtype.name))
