"""How many tokens per second does a split Llama write over a long way? Simulated and emulated.

Run it as ``python -m experiments.questions.token_law``, or copy it. Between tokens the rate should
be what one round trip yields over (round trip + compute): one token, or with guesses as many as
hold. The text is the model's own, which after a while runs in circles, as drawn weights do: so
guessing by lookup has something to find. The emulated world has real shards, held for as long as
their devices' profiles say, and real TCP over links of our own; it needs what ``--links userspace``
needs.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import typer

from experiments.scenarios.loader import build, deployment, read_scenario, scenario_path
from experiments.workplaces import Links, open_runner
from real_runner.deployment import Deployment
from real_runner.errors import RealRunError
from real_runner.orchestration.prompts import Asked
from sim.engine.simulator import Simulator
from sim.plan import Compute
from sim.policies.registry import policy_named
from sim.policy import service_s
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import Trace
from workloads.llama.acceptance import Replayed
from workloads.llama.model import Llama
from workloads.stage import Request

SCENARIO, TOPOLOGY = "small-llama", "small-llama-85ms"
POLICIES = ("lambda-split:codec=fp32", "lambda-split:codec=fp32,draft=4")
WRITTEN_TOKENS = 102
"""After so many of its own the model's text has enough of what has come before."""
PARTS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens per second between tokens under one policy: by the law and in each world.

    ``yielded`` is how many tokens came of a round trip after the first, on average.
    """

    policy: str
    yielded: float
    law: float
    simulated: float
    emulated: float

    def __str__(self) -> str:
        return (
            f"{self.policy:34} {self.yielded:5.2f} a round trip: law {self.law:6.2f} tokens/s, "
            f"simulated {self.simulated:6.2f}, emulated {self.emulated:6.2f} "
            f"({self.emulated / self.simulated - 1:+.1%})"
        )


def main(tokens: int = 80, dilation: float = 1.0) -> None:
    """Write the same text under each policy in both worlds, and print how fast."""
    try:
        for row in measured(tokens, dilation):
            print(row, flush=True)
    except RealRunError as error:
        sys.exit(str(error))


def measured(
    tokens: int, dilation: float = 1.0, policies: Sequence[str] = POLICIES
) -> Iterator[Row]:
    """Yield a row per policy for a text of so many tokens; see `RealRunner` on ``dilation``.

    Raises `RunRefusedError` where this machine was too busy for such links.
    """
    scenario, nodes = _scenario()
    text = _own_text(scenario, nodes)
    going_on = _texts_of(scenario, len(text), tokens)

    def asking(request: Request) -> Asked:
        del request
        return Asked(tuple(text))

    with open_runner(Links.USERSPACE, nodes, asking=asking, dilation=dilation) as runner:
        for policy in policies:
            chosen = replace(going_on, policy=policy_named(policy), policy_name=policy)
            yield row_of(chosen, runner.run(chosen))


def row_of(scenario: Scenario, real: Trace) -> Row:
    """Return what a real text came to, beside the law and a simulation of as lucky guesses."""
    tails = Tables(real).steps().query("stage == 'llama.tail'")
    came = tails.sort_values("end_s")["tokens"]
    yielded = [int(each) for each in came.iloc[1:]]
    model = scenario.workload.model
    assert isinstance(model, Llama)  # noqa: S101 - it is small-llama's
    guided = replace(model, acceptance=Replayed(tuple(yielded)))
    simulated = Simulator().run(
        replace(scenario, workload=replace(scenario.workload, model=guided))
    )
    mean = sum(yielded) / len(yielded)
    return Row(
        scenario.policy_name,
        mean,
        mean / _round_s(scenario, simulated),
        *map(_rate, (simulated, real)),
    )


def _scenario() -> tuple[Scenario, Deployment]:
    path = scenario_path(SCENARIO)
    settings = [f"topology={TOPOLOGY}", "workload.requests=1", "replications=1", "warm_up=0"]
    document = read_scenario(path, settings)
    scenario = build(document, path)
    return scenario, deployment(document, path, scenario.topology)


def _texts_of(scenario: Scenario, prompt: int, output: int) -> Scenario:
    model = replace(scenario.workload.model, prompt_tokens=prompt, output_tokens=output)  # type: ignore[type-var]
    return replace(scenario, workload=replace(scenario.workload, model=model))


def _own_text(scenario: Scenario, nodes: Deployment) -> list[int]:
    """Return what the model writes by itself, prompt included; RealRunError where it did not."""
    written: list[int] = []
    alone = replace(
        _texts_of(scenario, 24, WRITTEN_TOKENS), policy=policy_named("edge-only"), policy_name=""
    )
    prompt = np.random.default_rng(scenario.seed).integers(3, 259, 24).tolist()

    def keep(request: Request, content: bytes) -> None:
        del request
        written.extend(np.frombuffer(content, "<i4").tolist())

    native = nodes.model_copy(
        update={"default": nodes.default.model_copy(update={"pace": "native"})}
    )
    with open_runner(
        Links.LOOPBACK, native, asking=lambda _: Asked(tuple(prompt)), answered=keep
    ) as runner:
        (outcome,) = runner.run(alone).outcomes
    if not written:
        raise RealRunError(f"scenario {alone.name!r}: the edge wrote no text: {outcome.reason}")
    return [*prompt, *written]


def _round_s(scenario: Scenario, trace: Trace) -> float:
    """Return round trip and compute of a round in mid-text, from the topology and its prices."""
    every = [[s for s in plan.steps if isinstance(s, Compute)] for plan in trace.plans]
    rounds = [computes[-3:] for computes in every if len(computes) >= PARTS]
    computes = rounds[len(rounds) // 2]
    nodes = list(dict.fromkeys(step.node for step in computes))
    ways = (scenario.topology.route(a, b) for a, b in (nodes, reversed(nodes)))
    compute_s = sum(
        service_s(scenario.topology, scenario.cost, step.stages, step.node) for step in computes
    )
    return sum(way.delay_s for way in ways) + compute_s


def _rate(trace: Trace) -> float:
    (row,) = Tables(trace).requests().to_dict("records")
    return float(1 / row["token_gap_s"])


if __name__ == "__main__":
    typer.run(main)
