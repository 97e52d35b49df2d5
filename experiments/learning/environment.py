"""A Gymnasium environment over the simulator: to which policy is each request to be left.

Install it with ``pip install 'tessera[learning]'``. By name:

    gymnasium.make("experiments.learning.registration:Tessera-v0", scenario="jetson-16-clouds",
                   arms=["local", "sharded/deferred:codec=int8"])
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from experiments.extras import needs
from experiments.learning.episode import Episode
from experiments.learning.features import Features, Vector
from experiments.learning.rewards import REWARDS, Earnings
from experiments.scenarios.loader import load
from sim.errors import ScenarioError
from sim.policies.registry import policy_named
from sim.trace import Outcome
from topologies.errors import suggestion

with needs("learning"):
    import gymnasium
    from gymnasium.error import ResetNeeded


class TesseraEnv(gymnasium.Env[Vector, np.int64]):
    """A step is the decision on a request that has just arrived: which of ``arms`` plans it.

    *Observation*: see `experiments.learning.features`; ``features.names`` tells what each number
    is. *Reward*: what requests have earned since the last decision, ``latency`` or ``in-time`` of
    `experiments.learning.rewards`. *Episode*: a replication of the scenario, its warm-up included.
    It is terminated when the last request has ended, for then there is nothing left to earn, and
    never truncated; what is observed then is all zeros.

    `reset` with a seed begins with replication 0 of the scenario under that seed: with the same
    arrivals, and where one arm is chosen throughout the same latencies, as ``tessera simulate
    --set seed=SEED``. Each further `reset` takes the next replication. Before any seed is given,
    the scenario's own holds.

    ``info`` has the ``replication``, and of the requests that ``ended`` index, latency in seconds
    and outcome, in the order in which they did.

    ``scenario`` is a shipped one's name or a file, ``settings`` change it as ``--set`` does. Raises
    what users' mistakes raise where one of these, or an arm, is none.
    """

    def __init__(
        self,
        scenario: str,
        arms: Sequence[str],
        reward: str = "latency",
        settings: Sequence[str] = (),
    ) -> None:
        _check(arms, reward)
        self.arms = tuple(arms)
        self.scenario = load(scenario, settings, arms[0])
        where, origins = self.scenario.topology, self.scenario.origins
        self.features = Features(where, origins, self.scenario.deadline_s)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (len(self.features.names),))
        self.action_space = gymnasium.spaces.Discrete(len(arms))
        self._policies = [policy_named(arm) for arm in arms]
        self._reward = REWARDS[reward]
        self._earnings = Earnings(self._reward, self.scenario.deadline_s)
        self._replication = -1
        self._episode: Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin the next replication, or the first one of another seed; no ``options`` matter."""
        super().reset(seed=seed, options=options)
        self._leave()
        if seed is not None:
            self.scenario = replace(self.scenario, seed=int(seed))
        self._replication = 0 if seed is not None else self._replication + 1
        self._episode = Episode(self.scenario, self._replication, self._policies, self.features)
        self._earnings = Earnings(self._reward, self.scenario.deadline_s)
        first = self._episode.begin()
        assert first is not None  # noqa: S101 - a workload has a request
        self._earnings.begin(first.request)
        return first.features, self._info(())

    def step(self, action: np.int64) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """Leave the request that waits to an arm.

        Raises gymnasium's `ResetNeeded` where none waits.
        """
        if self._episode is None or not self._episode.waits:
            raise ResetNeeded("no request waits for a decision; call reset() first")
        waiting = self._episode.decide(int(action))
        ended = self._episode.ended()
        if waiting is None:
            nothing = np.zeros(len(self.features.names), np.float32)
            return nothing, self._earnings.pay(inf, ended), True, False, self._info(ended)
        reward = self._earnings.pay(waiting.request.arrival_s, ended)
        self._earnings.begin(waiting.request)
        return waiting.features, reward, False, False, self._info(ended)

    def close(self) -> None:
        """Leave the run where it is; may be called again."""
        self._leave()

    def _leave(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _info(self, ended: tuple[Outcome, ...]) -> dict[str, Any]:
        told = tuple((each.request.index, each.latency_s, each.outcome) for each in ended)
        return {"replication": self._replication, "ended": told}


def _check(arms: Sequence[str], reward: str) -> None:
    if len(arms) < 2:
        raise ScenarioError("arms: give two policies or more, between which there is a choice")
    if twice := [arm for arm in arms if arms.count(arm) > 1]:
        raise ScenarioError(f"arms: {twice[0]!r} is given twice; give each once")
    if reward not in REWARDS:
        raise ScenarioError(f"reward: no {reward!r}; {suggestion(reward, tuple(REWARDS))}")
