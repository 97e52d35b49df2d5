"""What is trained is what runs: the package's own encoder and decoder, and our shards'."""

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training.forward import embeddings, levels, masks
from experiments.laboratory.training.lessons import examination
from real_runner.shards.architecture import new_sam
from real_runner.shards.decoder import Decoder
from workloads.images import Image
from workloads.sam.model import Sam
from workloads.sam.variants import Variant
from workloads.scenes import Look

TINY = Variant("tiny", 32, 4, 2, (1, 3), window_tokens=2, image_px=64)


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return new_sam(TINY).eval()


@pytest.fixture(scope="module")
def asked():
    return examination(Look(side_px=64), 0, "validate", 1, "box")


def embedded(sam, asked, order):
    return embeddings(sam, levels(sam, TINY, asked.picture[None], order))


@torch.inference_mode()
def test_unsplit_is_the_packages_own_encoder(sam, asked):
    own = sam.image_encoder(sam.preprocess(asked.picture[None].float()))
    assert torch.allclose(embedded(sam, asked, "unsplit"), own, atol=1e-6)


@torch.inference_mode()
def test_deferred_runs_all_windowed_blocks_before_any_global_one(sam, asked):
    order = []
    hooks = [
        block.register_forward_hook(lambda *_, n=n: order.append(n))
        for n, block in enumerate(sam.image_encoder.blocks)
    ]
    embedded(sam, asked, "deferred")
    for hook in hooks:
        hook.remove()
    assert order == [0, 2, 1, 3]


@torch.inference_mode()
def test_the_first_mask_is_what_the_runners_decoder_makes(sam, asked):
    embedding = embedded(sam, asked, "unsplit")
    logits, qualities = masks(sam, embedding, asked)
    count = len(asked.prompts)
    assert logits.shape == (count, 4, 16, 16)
    assert qualities.shape == (count, 4)
    decoder = Decoder(Sam(TINY, Image(64, 64, "raw"), prompts=count), sam)
    assert torch.allclose(
        logits[:, :1], decoder.logits(embedding, asked.prompts.numpy()), atol=1e-5
    )


def test_every_number_that_a_prompt_can_reach_is_trained(sam, asked):
    logits, qualities = masks(sam, embedded(sam, asked, "unsplit"), asked)
    (logits.square().mean() + qualities.square().mean()).backward()
    idle = {name.split(".")[1] for name, each in sam.named_parameters() if each.grad is None}
    assert idle <= {"mask_downscaling", "point_embeddings", "not_a_point_embed"}
    sam.zero_grad()
