"""Tokens per second of a Llama in three parts: ``python -m real_runner.bench.decoding``.

The baseline is ``generate`` of `transformers` with the same weights in the same run, on one thread.
Beside it the same text is written with head and tail in one process and the middle in another, over
a loopback connection with TLS, without guesses: what the ways and hand-overs cost. Rounds of both
take turns, so that what else the machine does meets both alike.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from real_runner.deployment import Deployment
from real_runner.orchestration.prompts import Asked
from real_runner.runner import RealRunner
from real_runner.shards.llama.architecture import config_of
from real_runner.shards.llama.weights import drawn
from real_runner.shards.packages import class_named
from sim.policies.lambda_split import LambdaSplit
from sim.runner import Scenario
from sim.tables import Tables
from topologies.shipped import load
from workloads.arrivals import Closed
from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS
from workloads.workload import Workload

VARIANT, PROMPT, TOKENS, ROUNDS, SEED = "llama-small", 24, 128, 7, 0


@dataclass(frozen=True, slots=True)
class Row:
    """One way to write; ``ratio`` is that of its speed to the baseline's."""

    name: str
    tokens_per_s: float
    ratio: float


def main() -> int:
    """Measure and print; return the exit status."""
    Console().print(_table(measured()))
    return 0


def measured() -> list[Row]:
    """Return the speed of decoding, whole and split."""
    torch.set_num_threads(1)  # as a worker does
    prompt = torch.randint(3, 259, (1, PROMPT), generator=torch.Generator().manual_seed(SEED))
    whole = _unsplit()
    found: dict[str, list[float]] = {"transformers generate": [], "split in three": []}
    asked = Asked(tuple(prompt[0].tolist()))
    with RealRunner(Deployment(weights_seed=SEED), asking=lambda _: asked) as runner:
        for number in range(ROUNDS + 1):
            alone, split = _decoded(whole, prompt), _split(runner)
            if number:  # the first warms up
                found["transformers generate"].append(alone)
                found["split in three"].append(split)
    baseline = median(found["transformers generate"])
    return [Row(name, median(each), median(each) / baseline) for name, each in found.items()]


def _unsplit() -> Any:
    architecture = VARIANTS[VARIANT]
    model = class_named("transformers", "LlamaForCausalLM")(config_of(architecture)).eval()
    model.load_state_dict(drawn(architecture, SEED))
    return model


def _decoded(model: Any, prompt: torch.Tensor) -> float:
    """Return tokens per second after the first, which reads the prompt."""
    seconds = []
    for count in (1, TOKENS):
        begin_s = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                prompt, max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0
            )
        seconds.append(time.perf_counter() - begin_s)
    return (TOKENS - 1) / (seconds[1] - seconds[0])


def _split(runner: RealRunner) -> float:
    (row,) = Tables(runner.run(_scenario())).requests().to_dict("records")
    return 1 / float(row["token_gap_s"])


def _scenario() -> Scenario:
    model = Llama(VARIANTS[VARIANT], PROMPT, TOKENS, "fp32")
    return Scenario(
        name="decoding",
        topology=load("small-llama-85ms"),  # one edge, one cloud; their links are not emulated
        workload=Workload(model, Closed(1), 1),
        policy=LambdaSplit(codec="fp32"),
        policy_name="lambda-split:codec=fp32",
        origins=("pi",),
        deadline_s=60.0,
    )


def _table(rows: list[Row]) -> Table:
    table = Table("", "tokens/s", "ratio", title=f"Decoding, {VARIANT}, fp32, one thread")
    for row in rows:
        table.add_row(row.name, f"{row.tokens_per_s:.1f}", f"{row.ratio:.2f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
