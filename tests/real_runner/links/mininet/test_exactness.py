"""Sharded SAM over Mininet's network, against the same model unsplit."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("mininet")

from real_runner.runner import RealRunner
from sim.policies.chain import Local
from tests.emulating import MININET, less_hurried, why_not
from tests.real_runner.conftest import EXACT, answers_of, in_turn, sharded
from tests.real_runner.shards.conftest import GEOMETRY_OF_B, make_world
from topologies.dilation import slowed
from topologies.shipped import load

SEED = 3
SLOWER = (5.0, 10.0, 20.0, 40.0)  # this is about masks, not about a fast machine


@pytest.mark.long
def test_masks_of_shards_that_met_over_mininet_are_identical_to_the_unsplit(
    tmp_path: Path,
) -> None:
    if reason := why_not(*MININET):
        pytest.skip(reason)
    world = make_world(GEOMETRY_OF_B, tmp_path, prompts=1)
    made = partial(RealRunner, EXACT.model_copy(update={"weights": world.path}), links="mininet")
    model = replace(world.sam, precision="fp32")  # which a Raspberry Pi has a rate for

    def answers(slower: float) -> list[dict[int, bytes]]:
        topology = slowed(load("small-sam"), slower)
        scenarios = [
            replace(
                in_turn(policy, 2, model=model, seed=SEED, topology="small-sam"), topology=topology
            )
            for policy in (Local(), sharded("exact"))
        ]
        return answers_of(made, scenarios)

    unsplit, split = less_hurried(answers, SLOWER)
    assert split == unsplit
    assert len(set(unsplit.values())) == 2, "two pictures have two masks"
