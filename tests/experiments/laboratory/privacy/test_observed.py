"""What is differentiated is what was recorded, and tells where descent has nothing to go by."""

import numpy as np
import pytest
import torch

from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.observed import observed
from experiments.laboratory.subjects import drawn
from experiments.scenarios.loader import load
from real_runner.deployment import NodeSpec
from real_runner.shards.weights import read
from tests.computing import one_thread
from workloads.scenes import Look

SUBJECT = drawn(Look(side_px=256), 0, "test", 0)


def held(checkpoint, policy, clouds=4):
    """The function of the first cloud that has pixels, what it held, and of which windows."""
    name = "small-sam" if clouds == 4 else "small-sam-16"
    scenario = load(name, policy=f"sharded/{policy}")
    untrusted = {node.name for node in scenario.topology.nodes if not node.trusted}
    examiner = Examiner(scenario, checkpoint, NodeSpec(dtype="fp32"))
    with one_thread():
        sent = examiner.heard(scenario.policy, SUBJECT, untrusted)
    node = next(each.transfer.target for each in sent if each.transfer.target in untrusted)
    own = [s for s in sent if node in (s.transfer.source, s.transfer.target)]
    arrays = [s.array.reshape(-1) / (255 if s.array.dtype == np.uint8 else 1) for s in own]
    model, plan = examiner.planned(scenario.policy, SUBJECT)
    function = observed(model, read(checkpoint), plan, node)
    return function, np.concatenate(arrays).astype(np.float32), own[0].transfer.payload.shard


@pytest.mark.parametrize(
    ("policy", "clouds"),
    [
        ("exact:assignment=round-robin", 4),
        ("prefix:assignment=round-robin", 4),
        ("deferred:assignment=round-robin,withhold=1,trend=1", 16),
        ("local-attention:assignment=round-robin", 4),
        ("landmark:assignment=round-robin,pool=5", 16),
        ("exact:assignment=round-robin,upload=embeddings", 4),
    ],
)
def test_of_a_picture_it_is_what_was_recorded(checkpoint, policy, clouds):
    function, numbers, shard = held(checkpoint, policy, clouds)
    picture = torch.from_numpy(SUBJECT.picture).permute(2, 0, 1)[None] / 255
    with one_thread(), torch.no_grad():
        found = function(picture, torch.from_numpy(numbers)[None])[0].numpy()
    assert found.shape == numbers.shape
    apart = np.abs(found - numbers).mean() / np.abs(numbers).mean()
    assert apart < 5e-4, "fp16 on the wire is off by so much"
    unseen = np.ones((4, 4), bool)
    unseen.reshape(-1)[list(shard)] = False
    with one_thread():
        tells = function.tells_of(unseen.repeat(16, 0).repeat(16, 1))
    assert tells is policy.startswith(("exact", "landmark"))


@pytest.mark.parametrize(
    "policy",
    [
        "shares:clouds=2,blocks=0",
        "deferred:upload=embeddings,epsilon=8",
        "image:assignment=round-robin",
    ],
)
def test_shares_noise_and_encoders_of_tiles_are_not_descended_through(checkpoint, policy):
    assert held(checkpoint, policy)[0] is None
