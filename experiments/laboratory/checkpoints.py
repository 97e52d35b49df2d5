"""Small SAMs that ship with Tessera: trained by its own command, each beside what made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from importlib import resources
from pathlib import Path
from typing import Final

from real_runner.errors import RealRunError
from real_runner.shards.weights import has_tile_encoder
from sim.errors import PolicyError
from sim.policies.sharded import Sharded
from sim.policy import Policy
from workloads.errors import WorkloadError
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, WITHHOLDING

FOLDER: Final = Path(str(resources.files("experiments.laboratory"))) / "trained"
"""A folder for each: the weights, what made them (``training.json``), and the curve."""
WEIGHTS: Final = "model.safetensors"
WITHHELD: Final = "-withheld"
"""What is added to a mode's name for weights that do without mean colours."""
LEVELLED: Final = "-levelled"
"""The same where windows have no trend either."""
TUNABLE: Final = (
    *MODES, *(f"{mode}{suffix}" for mode in WITHHOLDING for suffix in (WITHHELD, LEVELLED))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Weights of one model: for its usual order of blocks, and fine-tuned for some modes."""

    usual: Path
    tuned: dict[str, Path]

    def of(self, policy: Policy) -> Path:
        """Return the weights to run a policy with.

        Raises `PolicyError` where these have no numbers for what it runs.
        """
        mode = policy.mode if isinstance(policy, Sharded) else ""
        found = self.tuned.get(mode, self.usual)
        if isinstance(policy, Sharded) and policy.withhold:
            found = self.tuned.get(f"{mode}{WITHHELD}", found)
            if policy.trend:
                found = self.tuned.get(f"{mode}{LEVELLED}", found)
        if mode == "image" and not has_tile_encoder(found):
            raise PolicyError(
                f"mode image: {found} has no small encoder for tiles, and numbers by chance see "
                "nothing; name a checkpoint that has one with --tuned image=FILE"
            )
        return found

    def digests(self) -> dict[str, str]:
        """Return what tells these weights from others; `RealRunError` for no such file."""
        return {mode: digest(path) for mode, path in {"": self.usual, **self.tuned}.items()}


def checkpoints(sam: Sam, weights: Path | None, tuned: Sequence[str]) -> Checkpoints:
    """Return what is named: ``weights``, and for some modes ``MODE=FILE``; else what ships.

    Raises `RealRunError` where nothing ships for a model, and `WorkloadError` for no such mode.
    """
    named = dict(_named(each) for each in tuned)
    name = sam.variant.name
    usual = weights or FOLDER / name / WEIGHTS
    if not usual.exists() and weights is None:
        raise RealRunError(
            f"model {sam.name!r}: no trained weights ship with Tessera; name a checkpoint with "
            "--weights FILE"
        )
    ships = {} if weights else {mode: FOLDER / f"{name}-{mode}" / WEIGHTS for mode in TUNABLE}
    return Checkpoints(usual, {m: path for m, path in ships.items() if path.exists()} | named)


def _named(option: str) -> tuple[str, Path]:
    mode, equals, file = option.partition("=")
    if not equals or mode not in TUNABLE:
        known = ", ".join(TUNABLE)
        raise WorkloadError(f"--tuned {option!r}: give MODE=FILE, MODE one of {known}")
    return mode, Path(file)


def digest(path: Path) -> str:
    """Return what tells a file from others; `RealRunError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise RealRunError(f"{path}: cannot be read ({error.strerror}); name another") from error
