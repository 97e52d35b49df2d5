"""What a worker asks of whatever does its node's work."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from workloads.stage import Payload, Stage

Array = npt.NDArray[Any]


class Made(NamedTuple):
    """Tokens of an answer that a computation made; ``ended``: the last of them ends the answer."""

    tokens: tuple[int, ...] = ()
    ended: bool = False


NOTHING = Made()


class Executor(Protocol):
    """Holds, per request, the tensors that lie on one node, and computes with them.

    A request is known by ``job``, a number. What travels is always one array: a payload with
    ``elements`` is a matrix of floating-point numbers, shape ``(tokens, elements / tokens)``, its
    rows the tokens of the windows of ``payload.shard``, window after window, each row by row;
    any other payload is a vector of bytes (uint8). `put`, `get` and `forget` may be called while
    `run` runs in another thread, for the same request or another.

    Raises `real_runner.errors.StepError` where the node does not hold what it would need, and
    where an array's shape or type is not what the payload says.
    """

    def put(self, job: int, payload: Payload, array: Array) -> None:
        """Keep what has arrived."""
        ...

    def get(self, job: int, payload: Payload) -> Array:
        """Return what ``payload`` names."""
        ...

    def run(self, job: int, stages: tuple[Stage, ...], stopped: Callable[[], bool] = ...) -> Made:
        """Run ``stages`` in order on what lies here; the result lies here, too.

        Once ``stopped()``, no further one is begun. Never so by default. Returns the tokens of an
        answer that the stages made, where they write one.
        """
        ...

    def forget(self, job: int) -> None:
        """Drop all that is kept for a request, if anything is."""
        ...


def never() -> bool:
    """Say no: nothing is to be stopped."""
    return False


def expected_shape(payload: Payload) -> tuple[int, ...]:
    """Return the shape of the array that carries ``payload``; bytes may turn out fewer or more.

    >>> expected_shape(Payload("tokens", (0,), elements=768 * 196, tokens=196))
    (196, 768)
    """
    if payload.elements:
        return (payload.tokens, payload.elements // payload.tokens)
    return (round(payload.fixed_bytes),)


def is_bytes(payload: Payload) -> bool:
    """Whether ``payload`` travels as bytes that no codec touches."""
    return not payload.elements


EMPTY: Array = np.zeros(0, dtype=np.uint8)
