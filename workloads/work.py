"""Counts of work that hold at any precision, and the three operations they are summed from.

What is counted, and what is not:

- ``macs``: multiply-accumulates of matrix products and convolutions; norms, activations, softmax,
  additions and interpolations are left out, as in ``torch.utils.flop_counter``.
- ``moved``: activation elements that go to and from memory, namely the inputs and the outputs of
  each matrix product. Attention is taken as fused: its scores are never written. Norms,
  activations and additions are taken as fused with the product that they feed or follow.
- ``parameters``: weights, biases and tables; each is read once per stage, however many windows
  share it, and stays in memory at the arithmetic's precision.
- ``launches``: kernels: one per product, attention, norm, table addition and copy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from workloads.errors import WorkloadError
from workloads.stage import Payload, Shard, Stage

PRECISION_BYTES: Final[Mapping[str, int]] = {
    "fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1,
}  # fmt: skip
"""Width of one number in memory at each precision of arithmetic."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work of one part of a model; sums of parts are parts."""

    macs: int = 0
    moved: int = 0
    parameters: int = 0
    launches: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.macs + other.macs,
            self.moved + other.moved,
            self.parameters + other.parameters,
            self.launches + other.launches,
        )

    def times(self, count: int) -> "Work":
        """Return the work of ``count`` such parts, each with parameters of its own."""
        return Work(
            self.macs * count,
            self.moved * count,
            self.parameters * count,
            self.launches * count,
        )

    def batched(self, count: int) -> "Work":
        """Return the work of this part on ``count`` inputs at once: parameters are shared."""
        return Work(self.macs * count, self.moved * count, self.parameters, self.launches)


def linear(tokens: int, inputs: int, outputs: int, *, bias: bool = True) -> Work:
    """Return the work of ``tokens × inputs → tokens × outputs``."""
    return Work(
        macs=tokens * inputs * outputs,
        moved=tokens * (inputs + outputs),
        parameters=inputs * outputs + (outputs if bias else 0),
        launches=1,
    )


def attention(queries: int, keys: int, dim: int, *, keys_per_query: int | None = None) -> Work:
    """Return the work of softmax(QKᵀ)V over all heads together.

    ``dim`` is the sum of the heads' channels. ``queries`` and ``keys`` are totals; where they
    fall into windows each query meets only ``keys_per_query`` of them (default: all).
    """
    met = keys if keys_per_query is None else keys_per_query
    return Work(macs=2 * queries * met * dim, moved=2 * (queries + keys) * dim, launches=1)


def norm(channels: int) -> Work:
    """Return the work of a layer norm: its two parameters per channel and its kernel."""
    return Work(parameters=2 * channels, launches=1)


def copy(elements: int) -> Work:
    """Return the work of moving elements from one place in memory to another."""
    return Work(moved=2 * elements, launches=1)


def require_precision(place: str, precision: str) -> None:
    """Raise `WorkloadError`, naming ``place``, for a precision that is unknown."""
    if precision not in PRECISION_BYTES:
        raise WorkloadError(
            f"{place}: {precision!r} is unknown; choose one of {', '.join(PRECISION_BYTES)}"
        )


def stage_of(  # noqa: PLR0913 - what a stage is described by
    kind: str,
    work: Work,
    precision: str,
    *,
    blocks: Sequence[int] = (),
    shard: Shard = (),
    makes: Payload | None = None,
    unread: int = 0,
    positions: tuple[int, int] = (0, 0),
    codec: str = "",
    cache_bytes: float = 0.0,
    settings: tuple[tuple[str, float], ...] = (),
) -> Stage:
    """Return ``work`` at a precision as a stage.

    ``flops`` is two per multiply-accumulate. ``memory_bytes`` is every parameter once and every
    activation that moves, at the precision's width. Of a table only the rows that are read stand
    in ``work``; ``unread`` are its other parameters, which must be resident all the same.
    """
    width = PRECISION_BYTES[precision]
    return Stage(
        kind,
        flops=2.0 * work.macs,
        memory_bytes=float(width * (work.moved + work.parameters)),
        launches=work.launches,
        weight_bytes=float(width * (work.parameters + unread)),
        blocks=tuple(blocks),
        shard=shard,
        precision=precision,
        makes=makes,
        positions=positions,
        codec=codec,
        cache_bytes=cache_bytes,
        settings=settings,
    )
