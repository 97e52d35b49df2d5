"""A world small enough to learn in, and agents that make up their mind in advance."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="pip install 'tessera[learning]'")
pytest.importorskip("greenlet", reason="pip install 'tessera[learning]'")

from experiments.learning.environment import TesseraEnv

SCENARIO = "jetson-16-clouds"
ARMS = ("local", "offload", "sharded/deferred:codec=int8")
FEW = ("workload.requests=30", "warm_up=0", "replications=2", "workload.arrivals.rate_per_s=4.0")


class Played(NamedTuple):
    """An episode: what was observed and earned, and the requests' latencies by their index."""

    seen: list[np.ndarray]
    rewards: list[float]
    latencies_s: list[float]
    outcomes: set[str]


def play(
    env: TesseraEnv, choose: Callable[[int], int], seed: int | None = None, limit: int = 10**6
) -> Played:
    """Play an episode to its end; ``choose`` is given the number of the decision."""
    observed, info = env.reset(seed=seed)
    seen, rewards, ended = [observed], [], list(info["ended"])
    for number in range(limit):
        observed, reward, terminated, truncated, info = env.step(np.int64(choose(number)))
        assert not truncated
        seen.append(observed)
        rewards.append(reward)
        ended += info["ended"]
        if terminated:
            break
    latencies_s = [latency_s for _, latency_s, _ in sorted(ended)]
    return Played(seen, rewards, latencies_s, {outcome for _, _, outcome in ended})


def made(settings: Iterable[str] = (), **options: Any) -> TesseraEnv:
    return TesseraEnv(SCENARIO, options.pop("arms", ARMS), settings=[*FEW, *settings], **options)


@pytest.fixture
def env() -> Iterator[TesseraEnv]:
    made_here = made()
    yield made_here
    made_here.close()
