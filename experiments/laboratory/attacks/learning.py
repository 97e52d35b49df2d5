"""How networks of attackers are trained: Adam, its rate falling, the best on validation kept."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.laboratory.attacks.pictures import Pictures, Seen


@dataclass(frozen=True, slots=True)
class Budget:
    """What an attacker may spend: steps of so many pictures, judged after every so many of them.

    ``rate`` is the highest learning rate; it falls as half a cosine. ``device`` is torch's name.
    Products are in bfloat16 where ``halves``, which needs a processor made for that to be quicker.
    """

    steps: int = 2000
    batch: int = 64
    rate: float = 1e-3
    every: int = 100
    device: str = "cpu"
    halves: bool = False


def multiplies_halves() -> bool:
    """Return whether this machine's processor multiplies bfloat16 itself."""
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def seeded(make: Callable[[], torch.nn.Module], rng: np.random.Generator) -> torch.nn.Module:
    """Return a network whose weights follow from ``rng``; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**62)))
        return make()


def learn(
    network: torch.nn.Module,
    known: tuple[Tensor, Pictures],
    validation: tuple[Tensor, Pictures],
    unseen: Seen,
    budget: Budget,
    rng: np.random.Generator,
) -> None:
    """Train a network to the least mean squared error on unseen pixels.

    It maps inputs, whose first dimension is n, to (n, 3, side, side). What is left in it are the
    weights after the step, 0 included, at which it was best on the validation split.
    """
    # Colours innermost in memory: convolutions are up to twice as fast so on a processor.
    network.to(budget.device, memory_format=torch.channels_last).train()
    inputs, truth = known[0], planes(known[1])
    weight = _weight(unseen, budget.device)
    adam = torch.optim.Adam(network.parameters(), budget.rate, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(1, budget.steps))
    best, kept = _judged(network, validation, weight, budget), _kept(network)
    for step in range(1, budget.steps + 1):
        chosen = torch.from_numpy(rng.integers(len(inputs), size=budget.batch))
        guessed = _drawn(network, inputs[chosen], budget)
        loss = ((guessed - truth[chosen].to(budget.device)) ** 2 * weight).sum() / budget.batch
        adam.zero_grad()
        loss.backward()
        adam.step()
        falling.step()
        if step % budget.every == 0 or step == budget.steps:
            judged = _judged(network, validation, weight, budget)
            if judged < best:
                best, kept = judged, _kept(network)
    network.load_state_dict(kept)
    network.eval()


def applied(network: torch.nn.Module, inputs: Tensor, budget: Budget) -> Pictures:
    """Return what a network makes of inputs as pictures, (n, side, side, 3)."""
    was = network.training
    network.eval()
    with torch.no_grad():
        parts = [_drawn(network, part, budget).cpu() for part in inputs.split(budget.batch)]
    network.train(was)
    return np.asarray(torch.cat(parts).permute(0, 2, 3, 1).contiguous().numpy())


def planes(pictures: Pictures) -> Tensor:
    """Return pictures as torch has them, (n, 3, side, side)."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).contiguous()


def _drawn(network: torch.nn.Module, inputs: Tensor, budget: Budget) -> Tensor:
    device = budget.device
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=budget.halves):
        drawn: Tensor = network(inputs.to(device))
    return drawn.float()


def _weight(unseen: Seen, device: str) -> Tensor:
    """Return 1 / (numbers unseen) where a pixel is unseen, else 0; (1, 1, side, side)."""
    wanted = torch.from_numpy(unseen).float() / max(1, 3 * int(unseen.sum()))
    return wanted[None, None].to(device)


def _judged(
    network: torch.nn.Module, validation: tuple[Tensor, Pictures], weight: Tensor, budget: Budget
) -> float:
    guessed = planes(applied(network, validation[0], budget)).clamp(0, 1)
    apart = (guessed - planes(validation[1])) ** 2 * weight.cpu()
    return float(apart.sum()) / len(guessed)


def _kept(network: torch.nn.Module) -> dict[str, Any]:
    return deepcopy(network.state_dict())
