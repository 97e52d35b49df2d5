"""Where means are withheld, what is trained is what plans run."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch
from pydantic import ValidationError
from torch.nn import functional

from experiments.laboratory.examiner import Examiner
from experiments.laboratory.subjects import drawn
from experiments.laboratory.training.forward import embeddings, levels, masks
from experiments.laboratory.training.lessons import Lesson
from experiments.laboratory.training.orders import Orders
from experiments.scenarios.loader import load
from real_runner.deployment import NodeSpec
from real_runner.shards import weights
from real_runner.shards.architecture import new_sam
from real_runner.shards.saving import save
from tests.computing import one_thread
from workloads.catalogue import model_named
from workloads.sam.withholding import NOTHING, Withheld
from workloads.scenes import Look


@pytest.mark.parametrize(("mode", "order"), [("deferred", "deferred"), ("prefix", "unsplit")])
def test_the_masks_are_those_of_the_plan(tmp_path, mode, order):
    variant = model_named("sam-small").variant
    drawn_state = weights.drawn(variant, 0)
    state = {n: t for n, t in drawn_state.items() if not n.startswith(weights.TILE_PREFIX)}
    save(state, tmp_path / "w.safetensors")
    scenario = load(
        "small-sam", policy=f"sharded/{mode}:assignment=round-robin,codec=fp32,withhold=2,trend=1"
    )
    examiner = Examiner(scenario, tmp_path / "w.safetensors", NodeSpec(dtype="fp32"))
    subject = drawn(Look(side_px=256), 0, "test", 0)
    sam = new_sam(variant).eval()
    sam.load_state_dict(state)
    picture = torch.from_numpy(subject.picture.copy()).permute(2, 0, 1)
    prompts = torch.from_numpy(subject.prompts)
    lesson = Lesson(picture, prompts, torch.from_numpy(subject.masks))
    with one_thread(), torch.inference_mode():
        found = examiner.masks(scenario.policy, subject)
        trained, plain = (
            embeddings(sam, levels(sam, variant, picture[None], order, withheld=withheld))
            for withheld in (Withheld(2, 1), NOTHING)
        )
        logits, _ = masks(sam, trained, lesson)
        full = functional.interpolate(logits[:, :1], (256, 256), mode="bilinear")[:, 0].numpy()
    assert (trained - plain).abs().max() > 1e-3
    decided = np.abs(full) > 1e-3 * np.abs(full).max()
    assert decided.mean() > 0.9
    np.testing.assert_array_equal(found[decided], full[decided] > 0)


def test_orders_that_withhold_from_shards_apart_are_refused():
    with pytest.raises(ValidationError, match="withhold: has no meaning for order 'landmark'"):
        Orders(variant="small", order="landmark", withhold=1)
