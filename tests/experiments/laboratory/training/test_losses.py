"""Losses against values by hand, and against torchvision's own focal loss."""

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training.losses import dice, focal, loss_of, overlap
from real_runner.shards.operators import import_segment_anything

WANTED = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
SURE = torch.tensor([[[20.0, 20.0], [-20.0, -20.0]]])
HALF = torch.tensor([[[20.0, -20.0], [-20.0, -20.0]]])


def test_the_focal_loss_is_torchvisions():
    import_segment_anything()  # which makes torchvision importable here
    from torchvision.ops import sigmoid_focal_loss

    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5, 8, 8, generator=generator)
    wanted = (torch.rand(5, 8, 8, generator=generator) > 0.6).float()
    theirs = sigmoid_focal_loss(logits, wanted, alpha=0.25, gamma=2.0).mean(dim=(-2, -1))
    assert torch.allclose(focal(logits, wanted), theirs, atol=1e-7)


def test_dice_and_overlap_of_masks_by_hand():
    assert dice(SURE, WANTED).item() == pytest.approx(0, abs=1e-6)
    # (2·1 + 1) / (1 + 2 + 1)
    assert dice(HALF, WANTED).item() == pytest.approx(1 - 3 / 4, abs=1e-6)
    assert overlap(SURE, WANTED).item() == 1
    assert overlap(HALF, WANTED).item() == 0.5
    assert overlap(-SURE, WANTED).item() == 0


def test_of_an_ambiguous_prompt_the_best_mask_is_trained_and_of_a_clear_one_none_but_the_first():
    def made(right: int) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.stack([SURE[0] if n == right else -SURE[0] for n in range(4)])[None]
        qualities = torch.tensor([[1.0 if n == right else 0.0 for n in range(4)]])
        return logits.clone().requires_grad_(), qualities

    clear, ambiguous = torch.tensor([False]), torch.tensor([True])
    logits, qualities = made(0)
    assert loss_of(logits, qualities, WANTED, clear).item() == pytest.approx(0, abs=1e-5)
    assert loss_of(logits, qualities, WANTED, ambiguous).item() > 1
    logits, qualities = made(2)
    loss_of(logits, qualities, WANTED, ambiguous).backward()
    touched = logits.grad.abs().amax(dim=(0, 2, 3)) > 1e-12
    assert touched.tolist()[0]
    assert touched.tolist()[1:] == [False, touched.tolist()[2], False]
    wrong = torch.tensor([[0.0, 0.0, 0.0, 0.0]])
    right = loss_of(logits, qualities, WANTED, ambiguous)
    assert (loss_of(logits, wrong, WANTED, ambiguous) - right).item() == pytest.approx(1)
