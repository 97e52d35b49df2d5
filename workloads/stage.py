"""The vocabulary of cost: what a device computes (`Stage`) and what travels (`Payload`).

Both are descriptions. A stage holds no weights and a payload no numbers, so that the simulator
can price them and the real runner can fill them in. `Round` strings them together for models
that are sharded over many nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from workloads.codec import Codec
from workloads.errors import WorkloadError

Shard = tuple[int, ...]
"""Indices of the parts of the input (windows, tiles, tokens) that belong together."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What one transfer carries: which part of which tensor.

    ``tensor`` names it (``pixels``, ``tokens``, ``embedding``, ``prompt``, ``mask``,
    ``hidden``, ``token``, ``latent``, ``noise``, ``image``, …), ``shard``
    the parts of the input whose own content it holds (empty: none, as for a mask or a prompt),
    ``blocks_done`` how many transformer blocks it has passed, ``mixes`` whether it encodes parts
    of the input outside ``shard`` (true for any token after a global block), ``summary`` whether
    it holds averages over ``shard`` only, which show none of its parts by themselves.
    ``fixed_bytes`` is for what no codec touches (pixels, masks); it excludes ``elements``.
    ``first`` is the place of its first token in a text that is worked on piece by piece.
    """

    tensor: str
    shard: Shard = ()
    elements: int = 0
    tokens: int = 0
    blocks_done: int = 0
    mixes: bool = False
    summary: bool = False
    fixed_bytes: float = 0.0
    first: int = 0

    def encoded_bytes(self, codec: Codec) -> float:
        """Return the bytes that travel when the tensor is written with ``codec``."""
        return self.fixed_bytes + codec.encoded_bytes(self.elements, self.tokens)


@dataclass(frozen=True, slots=True)
class Stage:
    """One computation that one device runs without pause.

    ``kind`` names the executor and the calibration key, e.g. ``sam.windowed``. ``flops`` counts
    floating-point operations (two per multiply-accumulate), ``memory_bytes`` what is read from
    and written to device memory, weights included, ``launches`` the kernels started,
    ``weight_bytes`` the parameters that must be resident. ``blocks`` are the transformer blocks
    it runs, in order, and ``shard`` the parts of the input it runs them on (empty: all).
    ``precision`` is that of the arithmetic, a key of a device's peak rates. ``makes`` is what it
    leaves on its node, where that tells who holds what (hidden states, a latent, an image) or when
    a part of the answer is there (a token); None where what it is sent for tells enough. Where
    that is more than one token, it is the most there can be: guesses are checked, and how many of
    them hold is for the run to tell. ``positions`` are those of a text that it runs, the first and
    the one past the last. ``codec`` is what its input is written with and read back before it is
    used, as whoever got it over the wire did; empty: it is used as it is. ``cache_bytes`` is what
    then lies on its node for the next round of the same text. ``settings`` are what else its kind
    needs to know, by name, such as how many tokens are averaged into one.
    """

    kind: str
    flops: float
    memory_bytes: float
    launches: int = 1
    weight_bytes: float = 0.0
    blocks: tuple[int, ...] = ()
    shard: Shard = ()
    precision: str = "fp16"
    makes: Payload | None = None
    positions: tuple[int, int] = (0, 0)
    codec: str = ""
    cache_bytes: float = 0.0
    settings: tuple[tuple[str, float], ...] = ()

    def setting(self, name: str) -> float:
        """Return one of its settings; `WorkloadError` where it has none of that name.

        >>> Stage("sam.landmark", 0, 0, settings=(("pool", 49),)).setting("pool")
        49
        """
        for known, value in self.settings:
            if known == name:
                return value
        raise WorkloadError(f"{self.kind}: has no setting {name!r}; give it one")

    @property
    def sort(self) -> "Stage":
        """What it has in common with those that it can be run together with, as one batch.

        These are equal but for the part of the input that they run on. Rounds of texts need only
        run the same layers on as many positions, wherever in their texts these are.
        """
        first, end = self.positions
        if end == 0:
            return replace(self, shard=())
        return Stage(self.kind, 0.0, 0.0, blocks=self.blocks, positions=(0, end - first))


@dataclass(frozen=True, slots=True)
class Round:
    """One trip edge → nodes → edge of a sharded model, for any shard.

    ``up(shard)`` travels to the node, ``compute(shard)`` runs there, ``down(shard)`` comes back;
    when all shards are back the edge runs ``edge``, in order.
    """

    up: Callable[[Shard], Payload]
    compute: Callable[[Shard], Stage]
    down: Callable[[Shard], Payload]
    edge: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A stage of a model run as one chain, and the payload that leaves it."""

    stage: Stage
    output: Payload


class Model(Protocol):
    """What every workload's model offers to policies; frozen and hashable."""

    @property
    def name(self) -> str:
        """A short name for tables, e.g. ``sam-vit-h``."""
        ...

    @property
    def captured(self) -> Payload:
        """The input as the origin captures it (a photo as its file, a prompt)."""
        ...

    @property
    def prepare(self) -> Stage:
        """What turns ``captured`` into ``model_input`` (decode, resize); runs on a trusted node."""
        ...

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        """The unsplit model as a chain of stages; the last output is the answer."""
        ...

    @property
    def model_input(self) -> Payload:
        """The input in the form that the first stage of the chain reads."""
        ...

    @property
    def shard_fractions(self) -> tuple[float, ...]:
        """For each part of the input, the fraction of the whole that it shows; sums to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One unit of work: when, from where, which model on which input."""

    index: int
    arrival_s: float
    origin: str
    model: Model
