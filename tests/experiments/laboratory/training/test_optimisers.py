"""What changes a model's numbers: each number by one optimiser, matrices by orthogonal steps."""

from copy import deepcopy

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training.optimisers import Optimisers
from real_runner.shards.architecture import new_sam
from tests.computing import one_thread
from workloads.sam.variants import Variant

TINY = Variant("tiny", 32, 2, 2, (1,), window_tokens=2, image_px=64)
RATE = 1e-3


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def stepped(kind):
    """Return a model's numbers before and after one step along random gradients."""
    torch.manual_seed(0)
    sam = new_sam(TINY)
    before = {name: each.detach().clone() for name, each in sam.named_parameters()}
    for each in sam.parameters():
        each.grad = torch.randn_like(each)
    Optimisers(kind, sam, RATE).step(RATE)
    assert all(each.grad is None for each in sam.parameters())
    return before, dict(sam.named_parameters())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_number_is_changed_and_by_about_as_much(kind):
    before, after = stepped(kind)
    for name, each in after.items():
        change = (each.detach() - before[name]).square().mean().sqrt()
        assert 0.1 * RATE < change < 2 * RATE, name


def test_matrices_change_by_orthogonal_steps_with_muon_only():
    for kind, orthogonal in (("muon", True), ("adamw", False)):
        before, after = stepped(kind)
        name = "image_encoder.blocks.0.attn.proj.weight"  # square: elsewhere chance is near it
        values = torch.linalg.svdvals(after[name].detach() - before[name])
        assert (values.max() < 5 * values.min()) == orthogonal


def test_what_is_kept_of_it_goes_on_the_same():
    torch.manual_seed(0)
    sam = new_sam(TINY)
    first = Optimisers("muon", sam, RATE)

    def step(optimiser):
        generator = torch.Generator().manual_seed(1)
        for each in sam.parameters():
            each.grad = torch.randn(each.shape, generator=generator)
        optimiser.step(RATE)

    step(first)
    numbers = {name: each.clone() for name, each in sam.state_dict().items()}
    kept = deepcopy(first.state_dict())  # as a file has it: of its own
    again = Optimisers("muon", sam, RATE)
    again.load_state_dict(kept)
    step(again)
    resumed = {name: each.clone() for name, each in sam.state_dict().items()}
    sam.load_state_dict(numbers)
    step(first)
    for name, each in sam.state_dict().items():
        assert torch.equal(each, resumed[name]), name
