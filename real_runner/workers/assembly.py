"""From what the orchestrator says of a node to what does its work."""

import platform
from importlib.metadata import version
from math import inf
from pathlib import Path

from real_runner.deployment import NodeSpec
from real_runner.executor import Executor
from real_runner.models import family_of, model_from
from real_runner.workers.synthetic import SyntheticExecutor


def executor_for(
    spec: NodeSpec, model: str, weights: Path | None, caches_bytes: float = inf
) -> Executor:
    """Return the executor that ``spec`` asks for; `RealRunError` where it cannot be.

    Only one that computes imports torch. Texts may leave ``caches_bytes`` there between rounds.
    """
    if spec.executor == "synthetic":
        return SyntheticExecutor()
    bound_threads(spec)
    assert weights is not None  # noqa: S101 - the orchestrator always gives some
    described = model_from(model)
    return family_of(described).executor_for(described, weights, spec, caches_bytes)


def bound_threads(spec: NodeSpec) -> None:
    """Let this thread's arithmetic use no more threads than ``spec`` allows.

    More threads than processors make it slower by far (see docs on emulation); every thread that
    computes has to say so for itself.
    """
    if spec.executor == "torch":
        import torch  # noqa: PLC0415 - synthetic nodes go without

        torch.set_num_threads(spec.threads)


def versions(spec: NodeSpec) -> dict[str, str]:
    """Return what a node's figures depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    names = ("numpy", "grpcio", *(("torch",) if spec.executor == "torch" else ()))
    return found | {name: version(name) for name in names}
