"""What nodes hold of pictures as a function of these that can be differentiated, for descent (A4).

Whole batches are run by `training.forward`, and what a transfer carries is taken where it is made
there. Codecs are left out: they round. Pixels are not: where a node was sent some, the function
begins with what it was sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import prod
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
from workloads.sam.geometry import Window, windows
from workloads.sam.model import Sam
from workloads.stage import Payload, Stage

_APART: Final = ("sam.local", "sam.landmark")
"""Stages whose global attention stays inside of a shard, but for landmarks."""
_KNOWN: Final = frozenset({"pixels", "tokens", "landmarks"})
"""Tensors that policies have clouds receive or send, and that can be differentiated."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """f of `attacks.optimisation.Optimisation`: what one node holds, by transfers in wire order."""

    sam: Any
    model: Sam
    transfers: tuple[Transfer, ...]
    order: Order
    division: Division | None

    def __call__(self, pictures: Tensor, numbers: Tensor) -> Tensor:
        """Return what is held of pictures, as ``numbers`` has what was: (n, features).

        Pictures are (n, 3, side, side), from 0 to 1; what was received of pixels stands for them
        where there is any.
        """
        made = self._made(self._square(pictures, numbers))
        parts = [
            numbers[:, part] if payload.tensor == "pixels" else self._carried(made, payload)
            for payload, part in self._parts()
        ]
        return torch.cat(parts, dim=1)

    def tells_of(self, unseen: Seen) -> bool:
        """Whether anything that is held depends on a pixel that is not seen."""
        generator = torch.Generator().manual_seed(0)
        side = len(unseen)
        picture = torch.rand(1, 3, side, side, generator=generator).requires_grad_()
        features = max(part.stop for _, part in self._parts())
        held = self(picture, torch.zeros(1, features)).square().sum()
        if not held.requires_grad:
            return False
        (slope,) = torch.autograd.grad(held, picture)
        return bool(slope[..., torch.from_numpy(unseen)].any())

    def _square(self, pictures: Tensor, numbers: Tensor) -> Tensor:
        """Return pictures at the model's size, from 0 to 255, with what was sent of them."""
        per = self.model.variant.image_px // pictures.shape[-1]
        square = pictures.repeat_interleave(per, -2).repeat_interleave(per, -1) * 255
        known = windows(self.model.variant)
        for payload, part in self._parts():
            if payload.tensor != "pixels":
                continue
            shown = [known[index] for index in payload.shard]
            colours = (numbers[:, part] * 255).round().split([_colours(w) for w in shown], dim=1)
            for window, flat in zip(shown, colours, strict=True):
                rows = slice(window.top_px, window.top_px + window.height_px)
                columns = slice(window.left_px, window.left_px + window.width_px)
                tile = flat.reshape(-1, window.height_px, window.width_px, 3)
                square[..., rows, columns] = tile.permute(0, 3, 1, 2)
        return square

    def _parts(self) -> Iterator[tuple[Payload, slice]]:
        """Yield what is carried, and which numbers it is recorded as: of pixels, their colours."""
        known, start = windows(self.model.variant), 0
        for transfer in self.transfers:
            payload, first = transfer.payload, start
            if payload.tensor == "pixels":
                start += sum(_colours(known[index]) for index in payload.shard)
            else:
                start += prod(expected_shape(payload))
            yield payload, slice(first, start)

    def _made(self, square: Tensor) -> Mapping[tuple[str, int], Tensor]:
        """Return all that may travel, by its level, (n, grid, grid, width).

        Of ``landmarks``, which are averages, it is what they are made of.
        """
        made = dict[tuple[str, int], Tensor]()
        with ExitStack() as hooks:
            for block in self.model.variant.global_blocks:
                layer = self.sam.image_encoder.blocks[block].attn.qkv
                kept = partial(_keep, made, ("landmarks", block))
                hooks.callback(layer.register_forward_hook(kept).remove)
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
        whole = made[payload.tensor, payload.blocks_done]
        rows, columns = (
            torch.from_numpy(each) for each in places.coordinates(variant, payload.shard)
        )
        found = whole[:, rows, columns]
        if payload.tensor == "landmarks":
            flat = found[..., variant.dim :].transpose(0, 1).flatten(1)
            assert self.division is not None  # noqa: S101 - no others have landmarks
            averages = landmarks.pooled(flat, variant, payload.shard, self.division.pool)
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
    noisy = any(stage.kind == "sam.privatise" for stage in stages)
    if noisy or not _KNOWN.issuperset(each.payload.tensor for each in transfers):
        return None
    sam = new_sam(model.variant).eval().requires_grad_(requires_grad=False)
    own = {n: each.float() for n, each in weights.items() if not n.startswith(TILE_PREFIX)}
    sam.load_state_dict(own)
    apart = {stage.shard: stage for stage in stages if stage.kind in _APART}
    pool = max((int(dict(stage.settings).get("pool", 0)) for stage in apart.values()), default=0)
    division = Division(_owners(model, apart), pool) if apart else None
    return Observed(sam, model, transfers, _order(stages), division)


def _colours(window: Window) -> int:
    """Return how many numbers a window's colours are."""
    return 3 * window.pixels


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


def _keep(
    made: dict[tuple[str, int], Tensor], key: tuple[str, int], module: Any, given: Any, out: Tensor
) -> None:
    """Keep what a module makes: called by torch after it."""
    del module, given
    made[key] = out
