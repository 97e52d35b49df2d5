"""Secret shares over real connections, against the unsplit model, and with a cloud that is lost."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from real_runner.runner import RealRunner  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.plan import Transfer  # noqa: E402
from sim.policies.chain import Local  # noqa: E402
from sim.policies.shares import Shares  # noqa: E402
from sim.tables import Tables  # noqa: E402
from sim.trace import FINISHED, Trace  # noqa: E402
from tests.real_runner.conftest import EXACT, TINY, Encoder, answers_of, in_turn  # noqa: E402
from tests.real_runner.shards.conftest import (  # noqa: E402
    World,
    make_world,
    reference_embedding,
)

SEED = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(TINY, tmp_path_factory.mktemp("tiny"), prompts=1)


def test_three_clouds_by_shares_give_the_unsplit_embedding(world: World) -> None:
    variant = world.sam.variant
    model = Encoder(variant, world.sam.image, precision="fp32")
    deployment = EXACT.model_copy(update={"weights": world.path})
    policies = [Local(), Shares(3)]
    scenarios = [in_turn(policy, model=model, seed=SEED) for policy in policies]
    answers = answers_of(partial(RealRunner, deployment), scenarios)
    expected = reference_embedding(world)
    errors = []
    for (answer,) in (tuple(each.values()) for each in answers):
        rows = np.frombuffer(answer, np.float64).reshape(-1, variant.neck_channels)
        errors.append(np.abs(world.on_grid(rows) - expected).max())
    assert errors[0] < 1e-10 < errors[1] < 1e-4


def test_a_lost_cloud_is_survived_and_nobody_sees_two_shares_of_one_sharing(world: World) -> None:
    """Of several requests, so that the loss comes in the middle of some, however fast they are."""
    deployment = EXACT.model_copy(update={"weights": world.path})
    calm = in_turn(Shares(3), 6, model=world.sam, seed=SEED)
    with RealRunner(deployment) as runner:
        trace = runner.run(calm)
        first = next(r for r in trace.records if is_share(r))
        middle_s = trace.records[-1].end_s / 2
        lost = first.plan.steps[first.step].target
        stormy = in_turn(
            Shares(3), 18, model=world.sam, seed=SEED,
            faults=FaultPlan((Fault(middle_s, lost, "crash"),), detection_s=0.05),
        )  # fmt: skip
        survived = runner.run(stormy)
    for found, count in ((trace, 6), (survived, 18)):
        assert [outcome.outcome for outcome in found.outcomes] == [FINISHED] * count
        assert (Tables(found).exposure()["pixels"] == 0).all()
        each_has_one_share_of_a_sharing(found)
    after = {r.plan.steps[r.step].target for r in survived.records if is_share(r)
             and r.request == 17}  # fmt: skip
    assert lost not in after
    assert len(after) == 3


def is_share(record) -> bool:
    step = record.plan.steps[record.step]
    return isinstance(step, Transfer) and step.payload.tensor == "share"


def each_has_one_share_of_a_sharing(trace: Trace) -> None:
    seen: dict[tuple[int, str, int], set[int]] = {}
    for record in filter(is_share, trace.records):
        step = record.plan.steps[record.step]
        key = (record.request, step.target, step.payload.first // 3)
        seen.setdefault(key, set()).add(step.payload.first)
    assert seen
    assert all(len(numbers) == 1 for numbers in seen.values())
