"""One pass of several texts through some layers: products together, attention text by text.

So any texts share a pass, wherever in them they are (selective batching: Yu et al., *Orca*, OSDI
2022); a text alone is a pass of one. The numbers are those of the ``LlamaDecoderLayer`` of
`transformers`; products that read the same rows are one product here.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from real_runner.shards.llama.architecture import rotary
from real_runner.shards.llama.caches import Cache
from real_runner.shards.llama.checkpoint import EMBEDDING, HEAD, Checkpoint
from workloads.llama.variants import Architecture


class Segment(NamedTuple):
    """The ``new`` rows of one text in a pass, after those that its cache has."""

    cache: Cache
    new: int


class Layer:
    """One decoder layer's numbers."""

    def __init__(self, checkpoint: Checkpoint, number: int, place: dict[str, Any]) -> None:
        def read(name: str) -> Tensor:
            return checkpoint.tensor(f"model.layers.{number}.{name}").to(**place)

        def together(*names: str) -> tuple[Tensor, Tensor | None]:
            weight = torch.cat([read(f"{name}.weight") for name in names])
            there = checkpoint.shape(f"model.layers.{number}.{names[0]}.bias") is not None
            return weight, torch.cat([read(f"{n}.bias") for n in names]) if there else None

        self.attention_norm = read("input_layernorm.weight")
        self.mlp_norm = read("post_attention_layernorm.weight")
        self.qkv = together("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self.out = together("self_attn.o_proj")
        self.wide = together("mlp.gate_proj", "mlp.up_proj")
        self.narrow = together("mlp.down_proj")


class Layers:
    """The layers of a Llama, embedding and output; each is read when it is first needed."""

    def __init__(
        self,
        architecture: Architecture,
        checkpoint: Checkpoint,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.architecture = architecture
        self.dtype, self.device = dtype, device
        self._checkpoint = checkpoint
        self._place: dict[str, Any] = {"dtype": dtype, "device": device}
        self._layers: dict[int, Layer] = {}
        self._tables: dict[str, Tensor] = {}
        self._rotary: tuple[Tensor, Tensor] | None = None

    @property
    def loaded(self) -> tuple[int, ...]:
        """The layers that have been read so far."""
        return tuple(sorted(self._layers))

    @property
    def tables(self) -> tuple[str, ...]:
        """Which of embedding, final norm and output have been read so far."""
        return tuple(sorted(self._tables))

    def cache(self, layers: int) -> Cache:
        """Return an empty cache for so many layers."""
        return Cache(self.architecture, layers, self.dtype, self.device)

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """Return the rows (tokens, hidden) of the embedding."""
        numbers = torch.tensor(tokens, device=self.device)
        return functional.embedding(numbers, self._table(EMBEDDING))

    def logits(self, rows: Tensor) -> Tensor:
        """Return the logits (rows, vocabulary) of what has passed all layers."""
        normed = self._norm(rows, self._table("model.norm.weight"))
        tied = self.architecture.tied
        return functional.linear(normed, self._table(EMBEDDING if tied else HEAD))

    def run(self, rows: Tensor, blocks: Sequence[int], segments: Sequence[Segment]) -> Tensor:
        """Take rows of several texts, below each other, through layers; caches grow by them."""
        for segment in segments:
            segment.cache.make_room(segment.new)
        cosines, sines = self._angles(segments)
        for place, number in enumerate(blocks):
            layer = self._layer(number)
            attended = self._attend(layer, place, rows, cosines, sines, segments)
            rows = rows + functional.linear(attended, *layer.out)
            gate, up = functional.linear(self._norm(rows, layer.mlp_norm), *layer.wide).chunk(
                2, dim=-1
            )
            rows = rows + functional.linear(functional.silu(gate) * up, *layer.narrow)
        for segment in segments:
            segment.cache.length += segment.new
        return rows

    def _attend(
        self,
        layer: Layer,
        place: int,
        rows: Tensor,
        cosines: Tensor,
        sines: Tensor,
        segments: Sequence[Segment],
    ) -> Tensor:
        shape = self.architecture
        projected = functional.linear(self._norm(rows, layer.attention_norm), *layer.qkv)
        projected = projected.view(len(rows), -1, shape.head_dim).transpose(0, 1)
        turned = _rotated(projected[: shape.heads + shape.kv_heads], cosines, sines)
        values = projected[shape.heads + shape.kv_heads :]
        found, start = [], 0
        for segment in segments:
            end = start + segment.new
            queries, keys = turned[: shape.heads, start:end], turned[shape.heads :, start:end]
            every = segment.cache.extend(place, keys, values[:, start:end])
            found.append(_attention(queries, *every))
            start = end
        together = found[0] if len(found) == 1 else torch.cat(found, dim=1)
        return together.transpose(0, 1).reshape(len(rows), -1)

    def _norm(self, rows: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(rows, weight.shape, weight, self.architecture.norm_eps)

    def _angles(self, segments: Sequence[Segment]) -> tuple[Tensor, Tensor]:
        if self._rotary is None:
            cosines, sines = rotary(self.architecture, self.architecture.positions, self.device)
            self._rotary = cosines.to(self.dtype), sines.to(self.dtype)
        spans = [slice(each.cache.length, each.cache.length + each.new) for each in segments]
        cosines, sines = (
            table[spans[0]] if len(spans) == 1 else torch.cat([table[span] for span in spans])
            for table in self._rotary
        )
        return cosines, sines

    def _layer(self, number: int) -> Layer:
        if number not in self._layers:
            self._layers[number] = Layer(self._checkpoint, number, self._place)
        return self._layers[number]

    def _table(self, name: str) -> Tensor:
        if name not in self._tables:
            self._tables[name] = self._checkpoint.tensor(name).to(**self._place)
        return self._tables[name]


def _rotated(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn pairs of channels (heads, rows, dim) by their positions' angles."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cosines + torch.cat((-second, first), dim=-1) * sines


def _attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let the last positions of a text attend to all up to themselves; (heads, new, dim)."""
    new, total = queries.shape[1], keys.shape[1]
    mask = None
    if 1 < new < total:
        mask = torch.ones(new, total, dtype=torch.bool, device=queries.device).tril(total - new)
    attended: Tensor = functional.scaled_dot_product_attention(
        queries[None],
        keys[None],
        values[None],
        attn_mask=mask,
        is_causal=new == total and new > 1,
        enable_gqa=queries.shape[0] != keys.shape[0],
    )[0]
    return attended
