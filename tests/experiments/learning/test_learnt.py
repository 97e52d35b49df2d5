"""What was learnt is a policy like any other: from a file, without torch, always the same."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.learning import learnt
from experiments.learning.environment import TesseraEnv
from experiments.learning.network import Layer, Lesson, Network, layers_of
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.policies.registry import policy_named
from tests.complaints import refused
from tests.experiments.conftest import Program

from .conftest import ARMS, FEW, SCENARIO

SETTINGS = [word for each in FEW for word in ("--set", each)]


def lesson_of(env: TesseraEnv) -> Lesson:
    origins, deadline_s = env.scenario.origins, env.scenario.deadline_s
    return Lesson(ARMS, env.features.names, origins, deadline_s)


@pytest.fixture
def network(env: TesseraEnv) -> Network:
    """Return one that keeps what comes soon after another and sends what does not."""
    lesson = lesson_of(env)
    weights = np.zeros((len(ARMS), len(lesson.names)), np.float32)
    weights[1, lesson.names.index("since")] = 1.0
    return Network(lesson, (Layer(weights, np.array([0.4, 0.0, 0.1], np.float32)),))


@pytest.fixture
def file(network: Network, tmp_path: Path) -> Path:
    path = tmp_path / "mine.npz"
    network.save(path)
    return path


def spec(path: Path) -> str:
    return f"{learnt.__file__}:Learnt:network={path}"


def test_it_chooses_in_a_run_what_its_network_would_in_the_environment(
    env: TesseraEnv, network: Network, file: Path
) -> None:
    observed, _ = env.reset(seed=env.scenario.seed)
    chosen, ended, over = set(), [], False
    while not over:
        arm = network.choose(observed)
        observed, _, over, _, info = env.step(np.int64(arm))
        chosen.add(arm)
        ended += info["ended"]
    assert len(chosen) > 1
    scenario = replace(env.scenario, policy=policy_named(spec(file)))
    for _ in range(2):  # and remembers nothing of the run before
        outcomes = Simulator().run(scenario).outcomes
        assert [(each.request.index, each.latency_s, each.outcome) for each in outcomes] == ended


def test_simulate_takes_it_and_imports_neither_torch_nor_gymnasium(file: Path) -> None:
    script = f"""
import sys
from experiments.cli.main import status_of

sys.modules.update(dict.fromkeys(["torch", "gymnasium", "stable_baselines3", "greenlet"]))
sys.exit(status_of(["simulate", {SCENARIO!r}, *{SETTINGS!r}, "--policy", {spec(file)!r}]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_layers_are_those_that_ppo_decides_by(env: TesseraEnv) -> None:
    sb3 = pytest.importorskip("stable_baselines3", reason="pip install 'tessera[learning]'")
    ppo = sb3.PPO("MlpPolicy", env, seed=1, device="cpu")
    taken = Network(lesson_of(env), layers_of(ppo.policy.state_dict()))
    seen = np.random.default_rng(1).random((200, len(env.features.names)), np.float32)
    seen *= np.random.default_rng(2).choice([1, 40], (200, 1))  # so that all arms come up
    decided, _ = ppo.predict(seen, deterministic=True)
    assert [taken.choose(each) for each in seen] == decided.tolist()
    assert len(set(decided.tolist())) > 1


def test_it_keeps_what_it_was_learnt_on(network: Network, file: Path) -> None:
    again = Network.read(file)
    assert again.lesson == network.lesson
    for before, after in zip(network.layers, again.layers, strict=True):
        assert np.array_equal(before.weights, after.weights)
        assert np.array_equal(before.biases, after.biases)


def test_mistakes_are_told_in_a_line(tessera: Program, file: Path, tmp_path: Path) -> None:
    absent = tessera("simulate", SCENARIO, "--policy", spec(tmp_path / "no.npz"))
    refused(absent, "network: there is no file", "no.npz")
    other = tmp_path / "other.npz"
    other.write_text("not at all")
    refused(tessera("simulate", SCENARIO, "--policy", spec(other)), "is no learnt network")
    other.write_bytes(file.read_bytes()[:-100])
    refused(tessera("simulate", SCENARIO, "--policy", spec(other)), "is no learnt network")
    elsewhere = tessera("simulate", "orin-nano-4-clouds", "--policy", spec(file))
    refused(elsewhere, "learnt on another topology than 'orin-nano-4-clouds'")


def test_layers_that_fit_nothing_are_refused(network: Network) -> None:
    with pytest.raises(PolicyError, match="do not lead from features to arms"):
        Network(network.lesson, (*network.layers, *network.layers))
