"""A1: embeddings protect nothing by themselves where they are wide enough."""

import numpy as np
import pytest

from experiments.laboratory.attacks.metrics import psnr
from experiments.laboratory.attacks.patches import Inversion, cut, pasted

from .conftest import World


def decibels(world: World, dim: int) -> float:
    """Embed 16×16 patches with random weights, in single precision, and bring them back."""
    rng = np.random.default_rng(0)
    truth = world.pictures["test"][:20]
    weight = (rng.standard_normal((dim, 768)) / 28).astype(np.float32)
    bias, positions = (rng.standard_normal(shape).astype(np.float32) for shape in (dim, (4, dim)))
    tokens = cut(truth, 16) @ weight.T + bias + positions
    assert tokens.dtype == np.float32
    return float(psnr(pasted(Inversion(weight, bias).patches(tokens, positions), 16), truth).mean())


def test_as_many_dimensions_as_a_patch_has_numbers_give_it_back(world: World):
    # Square random matrices are the worst conditioned; 1024 rows of them are ViT-L's.
    assert decibels(world, 1024) > 100
    assert decibels(world, 768) > 60


def test_orthogonal_weights_of_768_dimensions_give_it_back():
    rng = np.random.default_rng(0)
    weight = np.linalg.qr(rng.standard_normal((768, 768)))[0].astype(np.float32)
    truth = rng.random((4, 32, 32, 3), dtype=np.float32)
    tokens = cut(truth, 16) @ weight.T
    found = pasted(Inversion(weight, np.zeros(768, np.float32)).patches(tokens), 16)
    assert psnr(found, truth).min() > 100


def test_fewer_dimensions_give_it_back_in_part(world: World):
    assert 3 < decibels(world, 192) < 30


def test_patches_are_in_a_convolutions_order_and_go_back_to_their_places():
    torch = pytest.importorskip("torch", reason="pip install 'tessera[lab]'")
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 8, 8, 3), dtype=np.float32)
    weight = rng.standard_normal((5, 3, 4, 4)).astype(np.float32)
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    wanted = torch.nn.functional.conv2d(planes, torch.from_numpy(weight), stride=4)
    found = cut(pictures, 4) @ weight.reshape(5, -1).T
    assert found == pytest.approx(wanted.flatten(2).transpose(1, 2).numpy(), abs=1e-4)
    assert (pasted(cut(pictures, 4), 4) == pictures).all()
