"""Mode `shares`: clouds multiply additive shares of secret inputs with weights that are public.

Before a linear layer the edge writes the layer's input in fixed point as 64-bit integers and splits
it into N shares that add up to it modulo 2⁶⁴, N − 1 of them uniform (additive secret sharing over
a ring; Cramer, Damgård, Escudero, Scholl, Xing, "SPDZ2k", 2018, eprint 2018/482, without their
authentication: clouds are semi-honest). A product with a matrix distributes over that sum, so each
cloud multiplies its share alone, and what comes back adds up to the product. Any N − 1 shares are
uniform numbers, whatever the input is. It costs N times the work, 8 bytes per number each way and
share, and a round trip per layer. Norms, attention, GELU, residuals, biases, neck and decoder stay
on the edge.

**Numbers of shares.** Two shares of one sharing must never meet on one node. Sharings are counted
through all plans of a request and never drawn anew under the same number: plan ``attempt`` has
numbers ``attempt · layers`` on, and share ``i`` of a sharing ``s`` is number ``s · N + i`` of the
request, which its payload carries as ``first``. So whoever reads a trace can tell which transfers
belong to one sharing, and a product that comes late is never added to those of another one.

**Work on a cloud.** Devices have no unit for matrix products modulo 2⁶⁴; what is assumed follows
from the model's precision (`arithmetic`):

- fp32, a processor's: a share is cut into three limbs, whose products with weights are exact in
  float64 (as `real_runner.shards.ring` computes). Vectors hold half as many doubles as singles, so
  that is 3 · 2 = 6 multiply-accumulates in fp32 for one. (Graphics processors whose doubles are
  slower than that would go by int8 here as well, which takes those of `topologies/devices.yaml` as
  long as 0.8 to 6.5 in fp32.)
- any other, that of a graphics processor with units for int8: a share is cut into 8 bytes and a
  weight into 4, whose products are summed in int32, exact for up to 2¹⁵ inputs since 255² · 2¹⁵ <
  2³¹ (after Ootomo, Ozaki, Yokota, "DGEMM on integer matrix multiplication unit", 2024, arXiv
  2306.11975). Of the 32 pairs those at 2⁶⁴ and above drop out; 26 remain.

Cutting and joining are taken as fused; weights are read in fixed point, 4 bytes each.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from workloads.errors import WorkloadError
from workloads.sam import costs
from workloads.sam.model import Sam
from workloads.sam.sharding import ending
from workloads.sam.variants import Variant
from workloads.stage import Payload, Stage
from workloads.work import Work, norm

RING_BYTES: Final = 8
WEIGHT_BYTES: Final = 4
"""Of a weight in fixed point, its sign included."""
LAYERS: Final = ("patch_embed", "qkv", "proj", "lin1", "lin2")
"""Linear layers: the first of the whole encoder, the others of each block."""

SHARE, PRODUCT, UNSHARE = "sam.share", "sam.share_product", "sam.unshare"
"""Kinds of stages: the edge draws shares, a cloud multiplies its own, the edge adds up."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One linear layer; ``place`` counts those of a model, ``block`` is 0 for `patch_embed`."""

    place: int
    name: str
    block: int
    inputs: int
    outputs: int

    @property
    def blocks(self) -> tuple[int, ...]:
        """The block it is part of, if any."""
        return () if self.name == LAYERS[0] else (self.block,)


@dataclass(frozen=True, slots=True)
class SharedRound:
    """One trip edge → clouds → edge; the i-th cloud has the i-th ``up``, ``compute`` and ``down``.

    The edge runs ``share`` before it and ``edge`` once all products are back.
    """

    layer: Layer
    share: Stage
    up: tuple[Payload, ...]
    compute: tuple[Stage, ...]
    down: tuple[Payload, ...]
    edge: tuple[Stage, ...]


def layers(variant: Variant, blocks: int) -> tuple[Layer, ...]:
    """Return the patch embedding and the linear layers of the first ``blocks`` blocks, in order.

    Raises `WorkloadError` where the model has not as many blocks.
    """
    if not 0 <= blocks <= variant.depth:
        raise WorkloadError(
            f"blocks: {blocks}; give 0 (patch embedding only) to {variant.depth}, "
            f"the blocks of {variant.name}"
        )
    dim, hidden = variant.dim, variant.dim * variant.mlp_ratio
    sizes = ((dim, 3 * dim), (dim, dim), (dim, hidden), (hidden, dim))
    found = [Layer(0, LAYERS[0], 0, costs.COLOURS * variant.patch_px**2, dim)]
    for block in range(blocks):
        for name, (inputs, outputs) in zip(LAYERS[1:], sizes, strict=True):
            found.append(Layer(len(found), name, block, inputs, outputs))
    return tuple(found)


@lru_cache(maxsize=1 << 10)
def shared_rounds(sam: Sam, shares: int, blocks: int, attempt: int = 0) -> tuple[SharedRound, ...]:
    """Return how ``shares`` clouds run the linear layers of the first ``blocks`` blocks.

    ``attempt`` numbers the plans of one request: each has sharings of its own. The last round's
    ``edge`` ends with the mask. Raises `WorkloadError` for fewer than two shares, since a single
    one is the input itself, and for blocks that there are not.
    """
    if shares < 2:
        raise WorkloadError(f"shares: {shares}; give at least 2, since one alone is the input")
    chosen = layers(sam.variant, blocks)
    first = attempt * len(chosen)
    last = _rest(sam, blocks)
    return tuple(
        _round(sam, layer, shares, first + layer.place, last if layer is chosen[-1] else ())
        for layer in chosen
    )


class Arithmetic(NamedTuple):
    """How a device multiplies modulo 2⁶⁴.

    In ``products`` matrix products, which take ``macs`` multiply-accumulates at ``precision`` for
    each one modulo 2⁶⁴.
    """

    precision: str
    products: int
    macs: int


def arithmetic(precision: str) -> Arithmetic:
    """Return what is assumed of devices that compute a model at ``precision``.

    >>> arithmetic("fp32"), arithmetic("fp16").macs
    (Arithmetic(precision='fp32', products=3, macs=6), 26)
    """
    if precision == "fp32":
        return Arithmetic("fp32", products=3, macs=6)
    pairs = product(range(RING_BYTES), range(WEIGHT_BYTES))
    count = sum(of_share + of_weight < RING_BYTES for of_share, of_weight in pairs)
    return Arithmetic("int8", products=count, macs=count)


def finished_layer(stage: Stage) -> tuple[str, tuple[int, ...]] | None:
    """Return the layer, by name and blocks, whose result a stage makes on the edge, if any."""
    if stage.kind != UNSHARE:
        return None
    return LAYERS[int(stage.setting("layer"))], stage.blocks


def _round(
    sam: Sam, layer: Layer, shares: int, sharing: int, last: tuple[Stage, ...]
) -> SharedRound:
    numbers = range(sharing * shares, (sharing + 1) * shares)
    settings = (*_of(layer), ("sharing", sharing), ("shares", shares))
    return SharedRound(
        layer,
        _share(sam, layer, shares, settings),
        tuple(_payload(sam, "share", layer, layer.inputs, number) for number in numbers),
        tuple(_product(sam, layer, number) for number in numbers),
        tuple(_payload(sam, "product", layer, layer.outputs, number) for number in numbers),
        (_unshare(sam, layer, shares, settings), *_attention(sam, layer), *last),
    )


def _of(layer: Layer) -> tuple[tuple[str, float], ...]:
    return (("layer", LAYERS.index(layer.name)),)


def _payload(sam: Sam, tensor: str, layer: Layer, width: int, number: int) -> Payload:
    """Return a share: it shows no part of the input, so its ``shard`` is empty."""
    tokens = sam.variant.tokens
    size_bytes = float(RING_BYTES * tokens * width)
    return Payload(
        tensor, (), 0, tokens, blocks_done=layer.block, fixed_bytes=size_bytes, first=number
    )


def _share(sam: Sam, layer: Layer, shares: int, settings: tuple[tuple[str, float], ...]) -> Stage:
    """Return norm or GELU, fixed point and shares: numbers read once, all shares written once.

    Drawing uniform numbers is no floating-point work and has to be calibrated where it matters.
    """
    numbers = sam.variant.tokens * layer.inputs
    work = Work(moved=numbers, launches=shares)
    if layer.name in {"qkv", "lin1"}:
        work += norm(sam.variant.dim)
    stage = sam.stage("share", work, layer.blocks, settings=settings)
    return _with_ring(stage, shares * numbers)


def _product(sam: Sam, layer: Layer, number: int) -> Stage:
    """Return one cloud's product of its share with the weights, no bias, modulo 2⁶⁴."""
    tokens = sam.variant.tokens
    weights, means = layer.inputs * layer.outputs, arithmetic(sam.precision)
    weight_bytes = float(WEIGHT_BYTES * weights)
    stage = Stage(
        PRODUCT,
        flops=2.0 * means.macs * tokens * weights,
        memory_bytes=weight_bytes,
        launches=means.products,
        weight_bytes=weight_bytes,
        blocks=layer.blocks,
        precision=means.precision,
        settings=(*_of(layer), ("number", number)),
    )
    return _with_ring(stage, tokens * (layer.inputs + layer.outputs))


def _unshare(sam: Sam, layer: Layer, shares: int, settings: tuple[tuple[str, float], ...]) -> Stage:
    """Return the sum of all products, its scale, the bias, and what is added beside it."""
    variant = sam.variant
    numbers = variant.tokens * layer.outputs
    work = Work(moved=numbers, parameters=layer.outputs, launches=shares)
    if layer.name == "patch_embed":
        work += Work(parameters=numbers)  # positions
    elif layer.name in {"proj", "lin2"}:
        work += Work(moved=numbers)  # the residual stream
    stage = sam.stage("unshare", work, layer.blocks, settings=settings)
    return _with_ring(stage, shares * numbers)


def _with_ring(stage: Stage, numbers: int) -> Stage:
    """Return a stage that moves so many numbers of 64 bits besides."""
    return replace(stage, memory_bytes=stage.memory_bytes + float(RING_BYTES * numbers))


def _attention(sam: Sam, layer: Layer) -> tuple[Stage, ...]:
    """Return what follows queries, keys and values; nothing after another layer."""
    if layer.name != "qkv":
        return ()
    variant = sam.variant
    if layer.block in variant.global_blocks:
        work = costs.attend(variant, variant.tokens, variant.tokens, variant.grid_tokens)
        return (sam.stage("attention", work, layer.blocks),)
    met = variant.padded_window_tokens
    padded = len(sam.whole) * met
    work = costs.attend(variant, padded, padded, variant.window_tokens, keys_per_query=met)
    return (sam.stage("window_attention", work + Work(launches=2), layer.blocks),)


def _rest(sam: Sam, blocks: int) -> tuple[Stage, ...]:
    """Return what the edge runs by itself after the last shared layer."""
    variant = sam.variant
    left = tuple(
        sam.global_block(block) if block in variant.global_blocks else sam.windowed((block,))
        for block in range(blocks, variant.depth)
    )
    return (*left, *ending(sam))
