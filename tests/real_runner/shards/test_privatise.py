"""The stage that adds noise, on a real node: what it destroys, and what it leaves."""

import numpy as np
import pytest

from real_runner.deployment import NodeSpec
from real_runner.errors import StepError
from real_runner.shards.noise import quantum, seeded
from real_runner.shards.sam import sam_executor
from workloads.privacy import Noise, noise_for
from workloads.sam.modes import rounds

UNBOUNDED = Noise(clip=1e6, sigma=1e-9)


def patches(world, node):
    """Return the whole image's patch embeddings without their positions, and the positions."""
    sam = world.sam
    tokens = node.get(0, sam.patch_tokens(sam.whole))
    positions = node._kit.encoder.positions(sam.whole).detach().numpy()
    return tokens - positions, positions


def embedded(world, noise=None, seed=1):
    node = sam_executor(world.sam, world.path, NodeSpec(dtype="fp64"), seeded(seed))
    world.origin(node=node)
    stages = (world.sam.patch_embed(), *(() if noise is None else (world.sam.privatise(noise),)))
    node.run(0, stages)
    return patches(world, node)


def test_without_noise_to_speak_of_tokens_are_clipped_and_nothing_else(odd):
    plain, positions = embedded(odd)
    norms = np.linalg.norm(plain, axis=1, keepdims=True)
    clip = float(np.median(norms))
    found, same = embedded(odd, Noise(clip, 1e-9))
    np.testing.assert_allclose(found, plain * np.minimum(1, clip / norms), atol=1e-7)
    assert np.abs(found - plain).max() > 1e-3, "half of them are clipped"
    assert np.array_equal(positions, same)


def test_much_noise_destroys_what_little_leaves(odd):
    plain, _ = embedded(odd)
    clip = float(np.linalg.norm(plain, axis=1).max())
    likeness = [
        np.corrcoef(embedded(odd, Noise(clip, sigma))[0].ravel(), plain.ravel())[0, 1]
        for sigma in (1e-3, 1e6)
    ]
    assert likeness[0] > 0.99
    assert abs(likeness[1]) < 5 / np.sqrt(plain.size)


def test_noise_has_the_deviation_that_was_asked_for(odd):
    noise = noise_for(4.0, 1e-5, 1.0)
    clipped, _ = embedded(odd, Noise(noise.clip, 1e-9))
    noisy, _ = embedded(odd, noise)
    error = (noisy - clipped).std() / noise.sigma
    assert error == pytest.approx(1, abs=5 / np.sqrt(2 * noisy.size))
    assert error != pytest.approx(1.1, abs=5 / np.sqrt(2 * noisy.size))


def test_released_embeddings_lie_on_the_lattice(odd):
    noise = Noise(1.0, 0.5)
    noisy, _ = embedded(odd, noise)
    quanta = noisy / quantum(noise.sigma)
    assert np.abs(quanta - np.rint(quanta)).max() < 1e-6  # positions went on and off again
    plain, _ = embedded(odd)
    assert np.abs(plain / quantum(0.5) - np.rint(plain / quantum(0.5))).max() > 0.1


def test_noise_differs_unless_it_is_seeded(odd):
    noise = Noise(1.0, 1.0)
    assert np.array_equal(embedded(odd, noise)[0], embedded(odd, noise)[0])
    assert not np.array_equal(embedded(odd, noise)[0], embedded(odd, noise, seed=2)[0])
    one, two = odd.origin(), odd.origin()
    for node in (one, two):
        node.run(0, (odd.sam.patch_embed(), odd.sam.privatise(noise)))
    assert not np.array_equal(patches(odd, one)[0], patches(odd, two)[0])


@pytest.mark.parametrize("mode", ["exact", "deferred"])
def test_every_mode_runs_on_noisy_tokens(odd, run_rounds, mode):
    """Without noise to speak of it gives what it gives without; with noise something else."""
    shards = ((0, 1, 2, 3), (4, 5, 6, 7, 8))
    found = []
    for noise in (None, UNBOUNDED, noise_for(1.0, 1e-5, 1.0)):
        sharding = rounds(odd.sam, mode, upload="embeddings", noise=noise)
        found.append(odd.embedding(run_rounds(odd, sharding, shards)))
    plain, same, other = found
    np.testing.assert_allclose(same, plain, atol=1e-5)
    assert np.abs(other - plain).max() > 1e-2


def test_clouds_get_no_token_without_noise(odd, run_rounds):
    noise = noise_for(1.0, 1e-5, 1.0)
    sharding = rounds(odd.sam, "prefix", upload="embeddings", noise=noise)
    clean, _ = embedded(odd)
    edge = run_rounds(odd, sharding, (odd.sam.whole,))
    cloud = odd.pool[1]
    for node in (edge, cloud):
        assert np.abs(patches(odd, node)[0] - clean).std() > 0.5 * noise.sigma


def test_it_needs_tokens_and_its_settings(odd):
    with pytest.raises(StepError, match=r"sam\.privatise: needs tokens after 0 blocks"):
        odd.node().run(0, (odd.sam.privatise(UNBOUNDED),))
