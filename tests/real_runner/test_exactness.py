"""Sharded SAM over real connections, against `segment_anything`'s own unsplit one."""

from functools import partial
from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from real_runner.runner import RealRunner  # noqa: E402
from real_runner.shards.inputs import captured  # noqa: E402
from sim.policies.chain import Local, Offload  # noqa: E402
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

SCHEMES = ("contiguous", "round-robin", "random", "checkerboard", "speed-proportional")
SEED = 3


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
    policies = [sharded("landmark", pool=pool, **knobs) for pool, knobs in
                ((1, {}), (1, {"upload": "embeddings"}), (49, {"clouds": 1}), (49, {}))]  # fmt: skip
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
