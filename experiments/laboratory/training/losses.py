"""What a mask is trained by: focal and dice loss, and an estimate of its own quality.

As SAM was: focal and dice loss weighted 20 to 1, the squared error of the predicted IoU, and of the
masks for an ambiguous prompt only the best (Kirillov et al. 2023, arXiv 2304.02643, appendix A).
"""

from torch import Tensor
from torch.nn import functional

FOCAL_WEIGHT, DICE_WEIGHT, QUALITY_WEIGHT = 20.0, 1.0, 1.0
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss (Lin et al. 2017, arXiv 1708.02002, section 4)."""


def focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the focal loss of each mask: the mean over its pixels, its last two dimensions."""
    probability = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    right = probability * wanted + (1 - probability) * (1 - wanted)
    weight = ALPHA * wanted + (1 - ALPHA) * (1 - wanted)
    return (weight * (1 - right) ** GAMMA * entropy).mean(dim=(-2, -1))


def dice(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return 1 less the dice coefficient of each mask (Milletari et al. 2016, arXiv 1606.04797)."""
    probability = logits.sigmoid()
    common = (probability * wanted).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + wanted.sum(dim=(-2, -1))
    return 1 - (2 * common + 1) / (total + 1)


def overlap(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the intersection over union of each mask, where logits are above 0, and the wanted."""
    found, there = logits > 0, wanted > 1 / 2
    union = (found | there).sum(dim=(-2, -1))
    return (found & there).sum(dim=(-2, -1)) / union.clamp(min=1)


def loss_of(logits: Tensor, qualities: Tensor, wanted: Tensor, ambiguous: Tensor) -> Tensor:
    """Return the mean loss over prompts.

    ``logits`` is (prompts, 4, side, side) and ``qualities`` (prompts, 4), as SAM's decoder has
    them: one mask for a prompt that is clear, three for one that is ``ambiguous``, bool
    (prompts,). ``wanted`` is (prompts, side, side), 0 or 1.
    """
    target = wanted[:, None].expand_as(logits)
    each = FOCAL_WEIGHT * focal(logits, target) + DICE_WEIGHT * dice(logits, target)
    each = each + QUALITY_WEIGHT * (qualities - overlap(logits.detach(), target)) ** 2
    one, best = each[:, 0], each[:, 1:].min(dim=1).values
    return (one + best * ambiguous).mean()
