"""How good a SAM is: the IoU of its masks with those that are wanted."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

from experiments.laboratory.training.apart import Division
from experiments.laboratory.training.forward import embeddings, levels, masks
from experiments.laboratory.training.lessons import Lesson
from experiments.laboratory.training.losses import overlap
from experiments.laboratory.training.orders import Order
from workloads.sam.variants import Variant
from workloads.sam.withholding import NOTHING, Withheld


def overlaps(
    sam: Any,
    variant: Variant,
    order: Order,
    lessons: Iterable[Lesson],
    division: Division | None = None,
    withheld: Withheld = NOTHING,
) -> list[float]:
    """Return the IoU of each prompt's mask, at the size of the lesson's picture.

    ``division`` is that of every single picture. Of the masks that SAM makes it is the one for a
    clear prompt, as the runners take it.
    """
    found: list[float] = []
    device = next(sam.parameters()).device
    with torch.inference_mode():
        for lesson in lessons:
            picture = lesson.picture[None].to(device)
            run = levels(sam, variant, picture, order, division, withheld)
            logits, _ = masks(sam, embeddings(sam, run), lesson)
            size, wanted = lesson.masks.shape[-2:], lesson.masks.to(device).float()
            full = functional.interpolate(logits[:, :1], size, mode="bilinear", align_corners=False)
            found += overlap(full[:, 0], wanted).tolist()
    return found
