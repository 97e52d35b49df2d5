"""Sharded and unsplit SAM through the executor, against `segment_anything`'s own unsplit one."""

from copy import copy
from typing import get_args

import numpy as np
import pytest
import torch

from real_runner.deployment import NodeSpec
from real_runner.shards import weights
from real_runner.shards.architecture import empty_sam
from real_runner.shards.inputs import captured
from real_runner.shards.operators import import_segment_anything
from real_runner.shards.sam import sam_executor
from sim.policies.assignment import SchemeName, assign
from sim.policies.task import Task
from workloads.images import Image
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.modes import rounds
from workloads.sam.variants import VARIANTS
from workloads.stage import Payload

PROMPT = Payload("prompt")
SCHEMES = get_args(SchemeName)
EXACT = [
    ("exact", {}),
    ("exact", {"upload": "embeddings"}),
    ("exact", {"offload_tokenwise": True}),
    ("exact", {"offload_tokenwise": True, "upload": "embeddings"}),
    ("prefix", {}),
    ("prefix", {"upload": "embeddings"}),
]
NODES = ("a", "b", "c", "d", "e")


def shards_by(scheme, sam):
    def cost_s(node, shard):
        return len(shard) * (1 + NODES.index(node))

    return tuple(
        shard for shard in assign(scheme, Task(windows(sam.variant), NODES, cost_s, 5)) if shard
    )


def reference_logits(world, embedding):
    """Return the masks of the resized square as the reference makes them, before the threshold."""
    sam, model, side = world.sam, world.reference, world.sam.variant.image_px
    transform = import_segment_anything().utils.transforms.ResizeLongestSide(side)
    logits = []
    for prompt in world.prompts:
        size = (sam.image.height_px, sam.image.width_px)
        corners = torch.from_numpy(transform.apply_coords(prompt[:, :2], size)).float()
        box = prompt[0, 2] == 2
        point = (corners[None, :1], torch.from_numpy(prompt[None, :1, 2]))
        sparse, dense = model.prompt_encoder(
            points=None if box else point, boxes=corners.view(1, 4) if box else None, masks=None
        )
        low, _ = model.mask_decoder(
            image_embeddings=torch.from_numpy(embedding),
            image_pe=model.prompt_encoder.get_dense_pe().double(),
            sparse_prompt_embeddings=sparse.double(),
            dense_prompt_embeddings=dense.double(),
            multimask_output=False,
        )
        logits.append(model.postprocess_masks(low, (side, side), (side, side))[0, 0])
    return torch.stack(logits).numpy()


def masks_agree(world, node, embedding):
    """Compare masks but where the reference is undecided.

    It embeds prompts in single precision, which rounds differently for other numbers of prompts;
    that is seen to change logits near 1 by up to 9e-5.
    """
    with torch.inference_mode():
        logits = reference_logits(world, embedding)
    decided = np.abs(logits) > 1e-3
    ours = np.unpackbits(world.mask(node)).reshape(logits.shape).astype(bool)
    assert np.array_equal(ours[decided], logits[decided] > 0)
    assert decided.mean() > 0.998
    assert 0 < ours.mean() < 1


def agree(world, node, embedding):
    np.testing.assert_allclose(world.embedding(node), embedding, rtol=0, atol=1e-10)
    masks_agree(world, node, embedding)


@pytest.mark.parametrize(("mode", "choices"), EXACT)
def test_modes_that_only_move_work_are_the_unsplit_model(
    thin, thin_embedding, run_rounds, mode, choices
):
    sharding = rounds(thin.sam, mode, **choices)
    agree(thin, run_rounds(thin, sharding, shards_by("random", thin.sam)), thin_embedding)


@pytest.fixture(scope="module")
def unsplit_masks(odd, odd_embedding):
    node = odd.origin()
    node.run(0, tuple(link.stage for link in odd.sam.chain))
    agree(odd, node, odd_embedding)
    return odd.mask(node)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("mode", "choices"), EXACT)
def test_no_assignment_changes_the_result(
    odd, odd_embedding, unsplit_masks, run_rounds, mode, choices, scheme
):
    sharding = rounds(odd.sam, mode, **choices)
    edge = run_rounds(odd, sharding, shards_by(scheme, odd.sam))
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)
    assert np.array_equal(odd.mask(edge), unsplit_masks)


@pytest.mark.parametrize("cut", range(9))  # embedding, five blocks, neck and decoder
def test_the_chain_may_be_cut_anywhere(odd, odd_embedding, cut):
    sam, edge, cloud = odd.sam, odd.origin(), odd.node()
    stages = tuple(link.stage for link in sam.chain)
    payloads = (sam.model_input, *(link.output for link in sam.chain))
    edge.run(0, stages[:cut])
    cloud.put(0, payloads[cut], edge.get(0, payloads[cut]))
    cloud.put(0, PROMPT, odd.prompts)
    cloud.run(0, stages[cut:])
    masks_agree(odd, cloud, odd_embedding)
    if cut < len(stages) - 1:
        agree(odd, cloud, odd_embedding)


def test_the_unsplit_model_on_another_node_gets_the_captured_file(odd, odd_embedding):
    sam, cloud = odd.sam, odd.node()
    cloud.put(0, sam.captured, odd.origin().get(0, sam.captured))
    cloud.put(0, PROMPT, odd.prompts)
    cloud.run(0, (sam.prepare, *(link.stage for link in sam.chain)))
    agree(odd, cloud, odd_embedding)


def test_windows_alone_are_exact_only_with_their_padding(odd):
    """The trap: without pad tokens, border windows are wrong and full ones still look right."""
    encoder, sam = odd.reference.image_encoder, odd.sam
    node = odd.origin()
    node.run(0, (sam.partition(), sam.windowed((0,))))
    ours = odd.on_grid(node.get(0, sam.tokens(sam.whole, 1, mixes=False)))
    with torch.inference_mode():
        embedded = encoder.patch_embed(odd.image_tensor()) + encoder.pos_embed
        exact = encoder.blocks[0](embedded)[0].permute(2, 0, 1).numpy()
        first = encoder.blocks[0]
        side = sam.variant.window_tokens
        corner = embedded[:, 2 * side :, 2 * side :]
        normal = first.norm1(corner)
        unpadded = corner + attention_without_pad(first.attn, normal)
        unpadded = unpadded + first.mlp(first.norm2(unpadded))
    np.testing.assert_allclose(ours[0], exact, rtol=0, atol=1e-10)
    wrong = unpadded[0].permute(2, 0, 1).numpy()
    assert np.abs(wrong - exact[:, 2 * side :, 2 * side :]).max() > 0.01


def attention_without_pad(attention, tokens):
    """Return what SAM's own attention gives where a window ends at the image's edge."""
    count = tokens.shape[1]
    smaller = copy(attention)
    smaller._parameters = dict(attention._parameters)
    for name in ("rel_pos_h", "rel_pos_w"):
        middle = len(attention._parameters[name]) // 2
        part = attention._parameters[name][middle - count + 1 : middle + count]
        smaller._parameters[name] = torch.nn.Parameter(part.clone())
    return smaller(tokens)


@pytest.mark.long
def test_vit_b_in_single_precision_is_the_reference_within_its_tolerance(tmp_path):
    sam = Sam(VARIANTS["vit-b"], Image(1024, 1024, "raw"))
    state = weights.drawn(sam.variant, seed=1)
    weights.save(state, tmp_path / "b.safetensors")
    file, _ = captured(sam, seed=1, index=0)
    node = sam_executor(sam, tmp_path / "b.safetensors", NodeSpec())
    node.put(0, sam.captured, np.frombuffer(file, np.uint8))
    *encoder, _decode = (link.stage for link in sam.chain)
    node.run(0, (sam.prepare, *encoder))
    rows = node.get(0, sam.chain[-2].output)

    reference = empty_sam(sam.variant)
    reference.load_state_dict(
        {n: t for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}, assign=True
    )
    colours = torch.from_numpy(np.frombuffer(file, np.uint8).reshape(1024, 1024, 3).copy())
    mean = torch.tensor([123.675, 116.28, 103.53])
    deviation = torch.tensor([58.395, 57.12, 57.375])
    with torch.inference_mode():
        image = ((colours - mean) / deviation).permute(2, 0, 1)[None]
        wanted = reference.image_encoder(image)[0].permute(1, 2, 0).numpy()
    full = wanted[:14, :14].reshape(196, 256)
    np.testing.assert_allclose(rows[:196], full, rtol=0, atol=2e-4)
    np.testing.assert_allclose(rows[-64:], wanted[56:, 56:].reshape(64, 256), rtol=0, atol=2e-4)
    assert wanted.std() > 0.5
