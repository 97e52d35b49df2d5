"""The numbers of Stable Diffusion XL: a user's own, or drawn by seed."""

from pathlib import Path

from real_runner.shards.saving import save
from real_runner.shards.sdxl import checkpoint
from real_runner.shards.sdxl.drawn import drawn
from workloads.sdxl.model import Sdxl


def prepare(model: Sdxl, given: Path | None, seed: int, target: Path) -> Path:
    """Return where workers find the weights: what was given, or ``target``, written now.

    What may be given see `real_runner.shards.sdxl.checkpoint`. ``target`` is a ``.safetensors``
    file; the numbers in it are the same for the same ``seed``. Raises `RealRunError` where
    ``given`` does not hold the weights of ``model``.
    """
    if given is not None:
        checkpoint.check(given, model.variant)
        return given
    save(drawn(model.variant, seed), target)
    return target
