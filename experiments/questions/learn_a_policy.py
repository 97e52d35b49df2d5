"""Whether a network learns when to keep a photo and when to send it, better than always one.

Run it as ``python -m experiments.questions.learn_a_policy [SCENARIO] [NETWORK.npz] [DECISIONS]``.
PPO of stable-baselines3 learns on arrivals of other seeds than those it is judged on.
"""

from dataclasses import replace
from os.path import relpath
from pathlib import Path
from typing import Annotated

import typer

from experiments.campaign import run_campaign
from experiments.cli.options import ScenarioName
from experiments.cli.summary import print_campaigns
from experiments.extras import needs
from experiments.learning import learnt
from experiments.learning.environment import TesseraEnv
from experiments.learning.network import Lesson, Network, layers_of
from experiments.questions.script import ask
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError

with needs("learning"):
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

ARMS = ("local", "offload")
BUSY = ("workload.arrivals={kind: poisson, rate_per_s: 16.0}", "workload.requests=200",
        "replications=10")  # fmt: skip


NetworkFile = Annotated[
    Path, typer.Argument(metavar="NETWORK", help="Where what was learnt goes, an .npz file.")
]
Decisions = Annotated[
    int, typer.Argument(metavar="DECISIONS", min=1, help="How many the network learns from.")
]


def main(
    scenario: ScenarioName = "orin-nano-4-clouds",
    network: NetworkFile = Path("learnt.npz"),
    decisions: Decisions = 80_000,
) -> None:
    """Learn, keep the network, and put it beside each arm on the scenario's own arrivals."""
    if not network.parent.is_dir():
        raise ScenarioError(f"NETWORK {network}: name a file in a folder that is there")
    learn(scenario, decisions).save(network)
    policy = f"{relpath(learnt.__file__)}:Learnt:network={network}"
    asked = [replace(load(scenario, BUSY, policy), policy_name="learnt")]
    asked += [load(scenario, BUSY, arm) for arm in ARMS]
    campaigns = [run_campaign(each, Simulator()) for each in asked]
    print_campaigns(campaigns, None, None, comparing=True)
    print(f"As a policy: --policy {policy}")


def learn(scenario: str, decisions: int) -> Network:
    """Return the network that PPO has learnt after so many decisions, four episodes at a time."""
    env = TesseraEnv(scenario, ARMS, settings=BUSY)
    other = env.scenario.seed + 1
    vector = make_vec_env(lambda: TesseraEnv(scenario, ARMS, settings=BUSY), n_envs=4, seed=other)
    ppo = PPO("MlpPolicy", vector, 1e-3, n_steps=128, gamma=0.9, seed=other, device="cpu")
    ppo.learn(decisions)
    vector.close()
    names, about = env.features.names, env.scenario
    lesson = Lesson(ARMS, names, about.origins, about.deadline_s)
    return Network(lesson, layers_of(ppo.policy.state_dict()))


if __name__ == "__main__":
    ask(main)
