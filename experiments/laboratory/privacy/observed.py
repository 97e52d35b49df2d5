"""What nodes hold of pictures as a function of these that can be differentiated, for descent (A4).

Whole batches are run by `training.forward`, and what a transfer carries is taken where it is made
there. Codecs are left out: they round. Pixels are not: where a node was sent some, the function
begins with what it was sent.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from experiments.laboratory.attacks.pictures import Seen
from experiments.laboratory.training.apart import Division
from experiments.laboratory.training.forward import levels
from experiments.laboratory.training.orders import Order
from real_runner.executor import expected_shape
from real_runner.shards import landmarks, places
from real_runner.shards.architecture import new_sam
from real_runner.shards.weights import TILE_PREFIX
from sim.plan import Compute, Plan, Transfer
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.stage import Payload, Stage

_APART: Final = ("sam.local", "sam.landmark")
"""Stages whose global attention stays inside of a shard, but for landmarks."""
_KNOWN: Final = ("pixels", "tokens", "qkv", "attention", "landmarks")
"""Tensors that are taken from a module; others, such as shares, tell no gradient."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """f of `attacks.optimisation.Optimisation`: what one node holds, by transfers in wire order."""

    sam: Any
    model: Sam
    transfers: tuple[Transfer, ...]
    order: Order
    division: Division | None
    pool: int

    def __call__(self, pictures: Tensor, numbers: Tensor) -> Tensor:
        """Return what is held of pictures, as ``numbers`` has what was: (n, features).

        Pictures are (n, 3, side, side), from 0 to 1; what was received of pixels stands for them
        where there is any.
        """
        made = self._made(self._square(pictures, numbers))
        parts, start = [], 0
        for transfer in self.transfers:
            payload = transfer.payload
            end = start + self._size(payload)
            sent = payload.tensor == "pixels"
            parts.append(numbers[:, start:end] if sent else self._carried(made, payload))
            start = end
        return torch.cat(parts, dim=1)

    def tells_of(self, unseen: Seen) -> bool:
        """Whether anything that is held depends on a pixel that is not seen."""
        generator = torch.Generator().manual_seed(0)
        side = len(unseen)
        picture = torch.rand(1, 3, side, side, generator=generator).requires_grad_()
        sizes = sum(self._size(each.payload) for each in self.transfers)
        held = self(picture, torch.zeros(1, sizes)).square().sum()
        if not held.requires_grad:
            return False
        (slope,) = torch.autograd.grad(held, picture)
        return bool(slope[..., torch.from_numpy(unseen)].any())

    def _square(self, pictures: Tensor, numbers: Tensor) -> Tensor:
        """Return pictures at the model's size, from 0 to 255, with what was sent of them."""
        per = self.model.variant.image_px // pictures.shape[-1]
        square = pictures.repeat_interleave(per, -2).repeat_interleave(per, -1) * 255
        known, start = windows(self.model.variant), 0
        for transfer in self.transfers:
            payload, first = transfer.payload, start
            start += self._size(payload)
            for index in payload.shard if payload.tensor == "pixels" else ():
                window = known[index]
                end = first + 3 * window.pixels
                shape = (-1, window.height_px, window.width_px, 3)
                tile = (numbers[:, first:end] * 255).round().reshape(shape).permute(0, 3, 1, 2)
                rows = slice(window.top_px, window.top_px + window.height_px)
                columns = slice(window.left_px, window.left_px + window.width_px)
                square[..., rows, columns] = tile
                first = end
        return square

    def _size(self, payload: Payload) -> int:
        """Return how many numbers a payload is recorded as: of pixels, their colours."""
        if payload.tensor != "pixels":
            return int(np.prod(expected_shape(payload)))
        known = windows(self.model.variant)
        return sum(3 * known[index].pixels for index in payload.shard)

    def _made(self, square: Tensor) -> Mapping[tuple[str, int], Tensor]:
        """Return every tensor that may travel, by its level: (n, grid, grid, width)."""
        made = dict[tuple[str, int], Tensor]()
        with ExitStack() as hooks:
            for block in self.model.variant.global_blocks:
                attention = self.sam.image_encoder.blocks[block].attn
                qkv = attention.qkv.register_forward_hook(partial(_output, made, ("qkv", block)))
                gathered = attention.proj.register_forward_pre_hook(
                    partial(_input, made, ("attention", block))
                )
                hooks.callback(qkv.remove)
                hooks.callback(gathered.remove)
            run = levels(self.sam, self.model.variant, square, self.order, self._divided(square))
            made |= {("tokens", level): tokens for level, tokens in enumerate(run)}
        return made

    def _divided(self, square: Tensor) -> Division | None:
        if self.division is None:
            return None
        return Division(self.division.owners.expand(len(square), -1), self.division.pool)

    def _carried(self, made: Mapping[tuple[str, int], Tensor], payload: Payload) -> Tensor:
        """Return what a payload carries, (n, elements)."""
        variant = self.model.variant
        pooled = payload.tensor == "landmarks"
        whole = made["qkv" if pooled else payload.tensor, payload.blocks_done]
        rows, columns = (
            torch.from_numpy(each) for each in places.coordinates(variant, payload.shard)
        )
        found = whole.reshape(len(whole), variant.grid_tokens, variant.grid_tokens, -1)
        found = found[:, rows, columns]
        if pooled:
            flat = found[..., variant.dim :].transpose(0, 1).flatten(1)
            averages = landmarks.pooled(flat, variant, payload.shard, self.pool)
            found = averages.unflatten(1, (len(whole), -1)).transpose(0, 1)
        return found.flatten(1)


def observed(model: Sam, weights: Mapping[str, Tensor], plan: Plan, node: str) -> Observed | None:
    """Return what one node holds by a plan, with the weights of a checkpoint.

    Returns None where that is not to be differentiated: shares, noise, encoders of tiles.
    """
    transfers = tuple(
        step
        for step in plan.steps
        if isinstance(step, Transfer) and node in {step.source, step.target}
    )
    stages = [stage for step in plan.steps if isinstance(step, Compute) for stage in step.stages]
    if {each.payload.tensor for each in transfers} - {*_KNOWN} or any(
        stage.kind == "sam.privatise" for stage in stages
    ):
        return None
    sam = new_sam(model.variant).eval().requires_grad_(requires_grad=False)
    own = {n: each.float() for n, each in weights.items() if not n.startswith(TILE_PREFIX)}
    sam.load_state_dict(own)
    apart = {stage.shard: stage for stage in stages if stage.kind in _APART}
    pool = max((int(dict(stage.settings).get("pool", 0)) for stage in apart.values()), default=0)
    division = Division(_owners(model, apart), pool) if apart else None
    return Observed(sam, model, transfers, _order(stages), division, pool)


def _owners(model: Sam, shards: Iterable[tuple[int, ...]]) -> Tensor:
    """Return whose each window is, (1, windows)."""
    owners = np.zeros((1, len(windows(model.variant))), np.int64)
    for place, shard in enumerate(shards):
        owners[0, list(shard)] = place
    return torch.from_numpy(owners)


def _order(stages: Iterable[Stage]) -> Order:
    """Return in which order blocks are run: those that leave some out are followed by these."""
    runs = (stage.blocks for stage in stages if stage.kind == "sam.windowed" and stage.blocks)
    leaves_out = any(blocks != tuple(range(blocks[0], blocks[-1] + 1)) for blocks in runs)
    return "deferred" if leaves_out else "unsplit"


def _output(
    made: dict[tuple[str, int], Tensor], key: tuple[str, int], module: Any, given: Any, out: Tensor
) -> None:
    del module, given
    made[key] = out


def _input(
    made: dict[tuple[str, int], Tensor], key: tuple[str, int], module: Any, given: tuple[Tensor]
) -> None:
    del module
    made[key] = given[0]
