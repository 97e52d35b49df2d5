"""The environment is the simulator, asked the other way round, as Gymnasium wants it."""

import gc
import inspect
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from experiments.cli.main import status_of
from experiments.learning.environment import TesseraEnv
from experiments.learning.rewards import WORST
from sim.errors import PolicyError, ScenarioError

from .conftest import ARMS, FEW, SCENARIO, made, play

BY_NAME = "experiments.learning.registration:Tessera-v0"


def by_name() -> gymnasium.Env:
    return gymnasium.make(BY_NAME, scenario=SCENARIO, arms=ARMS, settings=FEW)


def test_gymnasium_has_nothing_against_it() -> None:
    env = by_name()
    assert isinstance(env.unwrapped, TesseraEnv)
    check_env(env.unwrapped)  # warnings are errors here
    env.close()
    env.close()


def test_stable_baselines_has_nothing_against_it(env: TesseraEnv) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(env)


@pytest.mark.parametrize("arm", range(len(ARMS)))
def test_one_arm_throughout_is_what_simulate_finds(
    arm: int, env: TesseraEnv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    settings = [word for each in (*FEW, "seed=5", "view_age=50ms") for word in ("--set", each)]
    assert (
        status_of(["simulate", SCENARIO, "--policy", ARMS[arm], *settings, "--out", str(out)]) == 0
    )
    capsys.readouterr()
    requests = pd.read_parquet(out / "requests.parquet").sort_values(["replication", "request"])
    for replication, seed in ((0, 5), (1, None)):
        simulated = requests[requests["replication"] == replication]["latency_s"].tolist()
        assert play(env, lambda _: arm, seed).latencies_s == simulated


def test_the_same_seed_and_choices_are_the_same_episode(env: TesseraEnv) -> None:
    first, again, other = (play(env, lambda k: k % 3, seed) for seed in (1, 1, 2))
    assert all(map(np.array_equal, first.seen, again.seen))
    assert first.rewards == again.rewards
    assert first.latencies_s != other.latencies_s


def test_without_a_seed_it_goes_on_to_the_next_replication(env: TesseraEnv) -> None:
    found = [play(env, lambda _: 0).latencies_s for _ in range(2)]
    assert found[0] != found[1]
    seed = env.scenario.seed
    assert found == [play(env, lambda _: 0, each).latencies_s for each in (seed, None)]


def test_every_request_is_paid_for_once_and_the_last_ends_the_episode(env: TesseraEnv) -> None:
    played = play(env, lambda k: k % 3, seed=1)
    assert len(played.rewards) == len(played.latencies_s) == env.scenario.workload.requests
    deadline_s = env.scenario.deadline_s
    owed = -sum(min(each / deadline_s, WORST) for each in played.latencies_s)
    assert sum(played.rewards) == pytest.approx(owed)
    assert not played.seen[-1].any()
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))


def test_a_reward_can_be_being_in_time() -> None:
    env = made(reward="in-time")
    played = play(env, lambda k: k % 2, seed=1)
    late = sum(each > env.scenario.deadline_s for each in played.latencies_s)
    assert 0 < late < len(played.latencies_s)
    assert sum(played.rewards) == len(played.latencies_s) - 2 * late


def test_a_request_that_is_not_answered_is_the_worst() -> None:
    refuses = "deadline-aware:deadline_ms=1"
    played = play(made(arms=("local", refuses)), lambda _: 1, seed=1)
    assert played.outcomes == {"refused"}
    assert sum(played.rewards) == -WORST * len(played.latencies_s)


def test_what_was_begun_anew_is_planned_by_the_same_arm() -> None:
    faults = "faults={schedule: [{at: 1s, node: coreweave-near-h100, fault: crash}], silence: 1s}"
    broken, whole = (play(made(more), lambda k: 2 - k % 2, seed=1) for more in ((faults,), ()))
    assert broken.outcomes == {"finished"}
    assert broken.latencies_s != whole.latencies_s
    assert len(broken.rewards) == len(whole.rewards)  # nobody was asked twice


def test_an_episode_can_be_left_at_any_moment(env: TesseraEnv) -> None:
    paces = gc.get_threshold()
    whole = play(env, lambda _: 2, seed=1).latencies_s
    play(env, lambda _: 1, seed=1, limit=7)
    assert play(env, lambda _: 2, seed=1).latencies_s == whole
    play(env, lambda _: 1, seed=1, limit=7)
    env.close()
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))
    assert gc.get_threshold() == paces


def test_an_arm_that_fits_not_says_so_and_the_next_episode_is_whole() -> None:
    env = made(arms=("local", "sharded/exact:clouds=17"))
    env.reset(seed=1)
    with pytest.raises(PolicyError, match="17 wanted"):
        env.step(np.int64(1))
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))
    assert play(env, lambda _: 0, seed=1).outcomes == {"finished"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"arms": ["local"]}, "arms: give two policies or more"),
        ({"arms": ["local", "local"]}, "arms: 'local' is given twice"),
        ({"arms": ["local", "of-load"]}, "did you mean"),
        ({"reward": "in-tim"}, "reward: no 'in-tim'; did you mean 'in-time'"),
        ({"settings": ["viev_age=0s"]}, "view_age"),
    ],
)
def test_mistakes_are_named(options: dict[str, list[str]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as found:
        made(**options)
    assert isinstance(found.value, (ScenarioError, PolicyError)) or options.get("settings")


def test_what_is_learnt_on_is_documented_by_name(env: TesseraEnv) -> None:
    assert len(env.features.names) == len(set(env.features.names))
    assert env.observation_space.shape == (len(env.features.names),)
    assert "features.names" in (inspect.getdoc(TesseraEnv) or "")
