"""Several environments at once are as many single ones."""

from functools import partial

import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from .conftest import ARMS, made, play

ENVS = 2
STEPS = 45  # beyond the end of an episode, which is 30 decisions long


def by_turns(number: int) -> int:
    return number % len(ARMS)


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
def test_a_vector_sees_and_earns_what_single_ones_do(
    kind: type[SyncVectorEnv] | type[AsyncVectorEnv],
) -> None:
    vector = kind([partial(made)] * ENVS, autoreset_mode=AutoresetMode.SAME_STEP)
    seen = [vector.reset(seed=7)[0].copy()]
    rewards, ends = [], []
    for number in range(STEPS):
        observed, reward, terminated, _, _ = vector.step(np.full(ENVS, by_turns(number)))
        seen.append(observed.copy())
        rewards.append(reward)
        ends.append(terminated)
    vector.close()
    for place in range(ENVS):
        single = made()
        first = play(single, by_turns, seed=7 + place)
        length = len(first.rewards)
        second = play(single, lambda k, begun=length: by_turns(k + begun), limit=STEPS - length)
        single.close()
        assert [each[place] for each in rewards] == first.rewards + second.rewards
        assert [number for number, each in enumerate(ends) if each[place]] == [length - 1]
        expected = first.seen[:-1] + second.seen
        assert all(np.array_equal(a[place], b) for a, b in zip(seen, expected, strict=True))
