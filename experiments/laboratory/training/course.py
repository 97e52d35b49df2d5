"""A course of training: from the first step, or the last one that was saved, to the end.

All of it follows from its orders: step n has the same scenes whenever it is taken, so what was
interrupted goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from experiments.laboratory.training.apart import Division, drawn
from experiments.laboratory.training.forward import embeddings, levels, masks
from experiments.laboratory.training.judging import overlaps
from experiments.laboratory.training.lessons import PROMPTINGS, Lesson, batches, examination
from experiments.laboratory.training.losses import loss_of
from experiments.laboratory.training.notebook import Notebook
from experiments.laboratory.training.optimisers import Optimisers
from experiments.laboratory.training.orders import APART, Mark, Orders
from real_runner.errors import RealRunError
from real_runner.shards.architecture import new_sam
from real_runner.shards.saving import State
from workloads.sam.variants import Variant
from workloads.scenes import Look, Split

WARM_UP: Final = 0.03
"""Part of the steps in which the learning rate rises; afterwards it falls as half a cosine."""
LARGEST_GRADIENT: Final = 1.0
POSITIONS_DEVIATION: Final = 0.02
_DIVISIONS_SEED: Final = 0xD1
_EXAMINATION: Final = 2**32 - 1
"""Stands for a step, where shards are drawn that stay the same."""


class Course:
    """Trains one SAM on one device (``cpu``, ``cuda``), by itself the same each time.

    It begins with the numbers of another checkpoint, the ``beginning``, where there is one.
    """

    def __init__(
        self, orders: Orders, variant: Variant, device: str, beginning: State | None = None
    ) -> None:
        torch.manual_seed(orders.seed)
        self.orders = orders
        self.step = 0
        self._variant = variant
        self._look = Look(side_px=variant.image_px, prior=orders.prior)
        self._device = torch.device(device)
        self.sam: Any = new_sam(variant).to(self._device).train()
        torch.nn.init.trunc_normal_(self.sam.image_encoder.pos_embed, std=POSITIONS_DEVIATION)
        if beginning is not None:
            self.sam.load_state_dict(fitted(beginning, self.sam.state_dict()))
        self._optimiser = Optimisers(orders.optimiser, self.sam, orders.rate)
        self.before_s = 0.0
        """How long it took up to where it was taken up."""

    def take_up(self, notebook: Notebook) -> None:
        """Go on from what was saved, if anything was; `RealRunError` where that is another's."""
        saved = notebook.saved(self.orders)
        if saved is None:
            return
        try:
            self.sam.load_state_dict(saved["sam"])
            self._optimiser.load_state_dict(saved["optimiser"])
            self.step, self.before_s = saved["step"], saved["seconds"]
        except Exception as error:
            raise notebook.strange(error) from error

    def run(self, notebook: Notebook, told: Callable[[], None]) -> Iterator[Mark]:
        """Train to the end; yield a mark every so many steps, once it is on disk.

        ``told`` is told of each step that is done.
        """
        orders, began_s, losses = self.orders, time.monotonic(), list[float]()
        steps = range(self.step, orders.steps)
        for lessons in batches(self._look, orders.seed, orders.batch, orders.prompts, steps):
            losses.append(self._learn(lessons))
            self.step += 1
            told()
            if self.step % orders.every == 0 or self.step == orders.steps:
                loss, (point, box) = fmean(losses), self.examined("validate", orders.examined)
                seconds = self.before_s + time.monotonic() - began_s
                mark = Mark(self.step, seconds, loss, point, box)
                notebook.keep(self._state(seconds), mark)
                losses.clear()
                yield mark

    def examined(self, split: Split, scenes: int) -> tuple[float, float]:
        """Return the mean IoU with a point and with a box, over objects of scenes of a split."""
        orders = self.orders
        self.sam.eval()
        division = self._division(1, _EXAMINATION)
        point, box = (
            fmean(
                overlaps(self.sam, self._variant, orders.order, lessons, division, orders.withheld)
            )
            for lessons in (
                (examination(self._look, orders.seed, split, n, prompting) for n in range(scenes))
                for prompting in PROMPTINGS
            )
        )
        self.sam.train()
        return point, box

    def _learn(self, lessons: list[Lesson]) -> float:
        """Take one step; return its loss."""
        pictures = torch.stack([lesson.picture for lesson in lessons]).to(self._device)
        division = self._division(len(lessons), self.step)
        orders, variant = self.orders, self._variant
        with self._rounding():
            run = levels(self.sam, variant, pictures, orders.order, division, orders.withheld)
            made = embeddings(self.sam, run)
        losses = [
            self._loss(each[None], lesson) for each, lesson in zip(made, lessons, strict=True)
        ]
        loss = torch.stack(losses).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.sam.parameters(), LARGEST_GRADIENT)
        self._optimiser.step(orders.rate * part_of_rate(self.step, orders.steps))
        return float(loss.detach())

    def _division(self, pictures: int, step: int) -> Division | None:
        """Return the shards of some pictures; the most there can be, for an examination."""
        orders = self.orders
        if orders.order not in APART:
            return None
        clouds = orders.clouds if step != _EXAMINATION else (max(orders.clouds),)
        rng = np.random.default_rng([orders.seed, _DIVISIONS_SEED, step])
        owners = drawn(self._variant, clouds, rng, pictures)
        return Division(owners, orders.pool if orders.order == "landmark" else 0)

    def _loss(self, embedding: Tensor, lesson: Lesson) -> Tensor:
        """Return the loss of one picture's masks, judged at the size in which SAM makes them."""
        with self._rounding():
            logits, qualities = masks(self.sam, embedding, lesson)
        wanted = lesson.masks[:, None].float().to(self._device)
        smaller = functional.interpolate(wanted, logits.shape[-2:], mode="area")[:, 0]
        ambiguous = lesson.is_point.to(self._device)
        return loss_of(logits.float(), qualities.float(), smaller, ambiguous)

    def _rounding(self) -> torch.autocast:
        """Return where products of matrices are as exact as the orders say."""
        rounded = self.orders.precision == "bf16"
        return torch.autocast(self._device.type, torch.bfloat16, enabled=rounded)

    def _state(self, seconds: float) -> dict[str, Any]:
        return {
            "orders": self.orders.model_dump_json(),
            "sam": self.sam.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "seconds": seconds,
        }


def part_of_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step as a part of the highest."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def fitted(state: State, wanted: State) -> State:
    """Return the numbers of a checkpoint in single precision, as another layout of blocks has them.

    Relative positions of a block that attends in windows of another size are stretched, as
    `segment_anything` itself does for pictures of another size. Raises `RealRunError` where
    anything else differs.
    """
    found = {name: each.float() for name, each in state.items()}
    for name, each in wanted.items():
        if name not in found:
            raise RealRunError(f"--from: the checkpoint has no {name}; give one of such a model")
        if found[name].shape != each.shape and "rel_pos" in name:
            table = found[name].T[None]
            stretched = functional.interpolate(table, len(each), mode="linear")
            found[name] = stretched[0].T
        if found[name].shape != each.shape:
            raise RealRunError(
                f"--from: {name} has shape {tuple(found[name].shape)}, not {tuple(each.shape)}; "
                "give a checkpoint of a model of this size"
            )
    return {name: found[name] for name in wanted}


def weights_of(sam: Any) -> dict[str, Tensor]:
    """Return a checkpoint in half precision, under the names of `segment_anything`'s."""
    return {name: each.detach().half().cpu() for name, each in sam.state_dict().items()}
