"""Sharded SAM over real connections, against `segment_anything`'s own unsplit one."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from real_runner.runner import RealRunner  # noqa: E402
from real_runner.shards.inputs import captured  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.plan import Compute, Transfer  # noqa: E402
from sim.policies.chain import Local, Offload  # noqa: E402
from sim.trace import FINISHED  # noqa: E402
from tests.real_runner.conftest import (  # noqa: E402
    EXACT,
    VARIANTS,
    Encoder,
    answers_of,
    in_turn,
    sharded,
)
from tests.real_runner.shards.conftest import (  # noqa: E402
    GEOMETRY_OF_B,
    World,
    make_world,
    reference_embedding,
)
from workloads.images import Image  # noqa: E402
from workloads.stage import Request  # noqa: E402

SCHEMES = ("contiguous", "round-robin", "random", "checkerboard", "speed-proportional")
SEED = 3
EDGE = "orin-nano"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """ViT-B's geometry at small width, with the picture that the runner takes for request 0."""
    return make_world(GEOMETRY_OF_B, tmp_path_factory.mktemp("thin"), prompts=1)


def encoder(world: World) -> Encoder:
    return Encoder(world.sam.variant, world.sam.image, precision="fp32")


def embeddings(world: World, policies: list, **deployment: object) -> list[np.ndarray]:
    """Return what the runner makes of request 0 under each policy, as the reference has it."""
    width = world.sam.variant.neck_channels
    model = encoder(world)
    made = partial(RealRunner, EXACT.model_copy(update={"weights": world.path, **deployment}))
    scenarios = [in_turn(policy, model=model, seed=SEED) for policy in policies]
    answers = answers_of(made, scenarios)
    return [
        world.on_grid(np.frombuffer(answer[0], np.float64).reshape(-1, width)) for answer in answers
    ]


def test_exact_and_prefix_equal_the_unsplit_encoder_for_every_assignment(world: World) -> None:
    expected = reference_embedding(world)
    policies = [sharded(mode, scheme) for mode, scheme in product(("exact", "prefix"), SCHEMES)]
    policies.append(sharded("exact", upload="embeddings"))
    for policy, found in zip(policies, embeddings(world, policies), strict=True):
        assert np.abs(found - expected).max() < 1e-10, policy


def test_landmarks_of_single_tokens_equal_the_unsplit_encoder_and_averages_do_not(
    world: World,
) -> None:
    expected = reference_embedding(world)
    knobs = ({"pool": 1}, {"pool": 1, "upload": "embeddings"}, {"clouds": 1}, {"pool": 49})
    policies = [sharded("landmark", **each) for each in knobs]
    *exact, averaged = (np.abs(found - expected).max() for found in embeddings(world, policies))
    assert max(exact) < 1e-10
    assert averaged > 1e-4


def test_pushed_and_compressed_it_is_the_same(world: World) -> None:
    expected = reference_embedding(world)
    (found,) = embeddings(world, [sharded("prefix")], push=True, zstd=True)
    assert np.abs(found - expected).max() < 1e-10


def test_masks_from_split_and_unsplit_embeddings_are_identical(world: World) -> None:
    policies = [Local(), Offload(), sharded("exact"), sharded("prefix")]
    made = partial(RealRunner, EXACT.model_copy(update={"weights": world.path}))
    scenarios = [in_turn(policy, 3, model=world.sam, seed=SEED) for policy in policies]
    unsplit, *split = answers_of(made, scenarios)
    assert all(answers == unsplit for answers in split)
    assert len(set(unsplit.values())) == 3, "three pictures have three masks"
    assert 0 < np.unpackbits(np.frombuffer(unsplit[0], np.uint8)).mean() < 1


def test_landmarks_after_a_loss_begin_again_elsewhere_and_give_the_same_mask() -> None:
    """Clouds keep tokens between rounds, so a lost one takes its part of all rounds with it."""
    paced = EXACT.default.model_copy(update={"pace": "profile"})
    calm = in_turn(sharded("landmark", pool=1), cost=Fixed(0.1))
    answers: list[bytes] = []

    def keep(request: Request, answer: bytes) -> None:
        assert request.index == 0
        answers.append(answer)

    with RealRunner(EXACT.model_copy(update={"default": paced}), answered=keep) as runner:
        runner.run(replace(calm, policy=Local()))
        latency_s = runner.run(calm).outcomes[0].latency_s
        crash = FaultPlan((Fault(0.6 * latency_s, "aws-t4", "crash"),))
        trace = runner.run(replace(calm, faults=crash))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    assert len(answers) == 3
    assert len(set(answers)) == 1
    steps = {
        attempt: [r.plan.steps[r.step] for r in trace.records if r.attempt == attempt]
        for attempt in (0, 1)
    }
    first = [step.payload.tensor for step in steps[0] if isinstance(step, Transfer)]
    assert "landmarks" in first, "the loss came after the first round"
    sent = [step for step in steps[1] if isinstance(step, Transfer) and step.target != EDGE]
    assert "aws-t4" not in {step.target for step in sent}
    pixels = [step.payload.shard for step in sent if step.payload.tensor == "pixels"]
    assert sorted(window for shard in pixels for window in shard) == list(range(16))
    begun = [step.stages[0].kind for step in steps[1] if isinstance(step, Compute)]
    assert "sam.prepare" not in begun, "what the edge did before the first round stands"


@dataclass(frozen=True)
class Fixed:
    """Every stage takes as long on every device."""

    stage_s: float

    def seconds(self, stage: object, device: object) -> float:
        del stage, device
        return self.stage_s


@pytest.mark.long
def test_vit_b_itself_in_single_precision(tmp_path_factory: pytest.TempPathFactory) -> None:
    image = Image(300, 200, "raw")
    world = make_world(VARIANTS["vit-b"], tmp_path_factory.mktemp("b"), prompts=1, image=image)
    assert captured(world.sam, SEED, 0)[0] == world.file
    expected = reference_embedding(world)
    model = Encoder(world.sam.variant, image, precision="fp32")
    single = EXACT.default.model_copy(update={"dtype": "fp32"})
    deployment = EXACT.model_copy(update={"weights": world.path, "default": single})
    scenario = in_turn(sharded("prefix", codec="fp32"), model=model, seed=SEED)
    (answers,) = answers_of(partial(RealRunner, deployment), [scenario])
    found = world.on_grid(np.frombuffer(answers[0], np.float32).reshape(-1, 256))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
