"""The protocol of a measurement: fixed in a file before any attack is run."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import Field

from experiments.keeping import whole
from experiments.laboratory.checkpoints import digest
from topologies.documents import DocumentError, Strict, parse, read_document

SHIPPED: Final = Path(str(resources.files("experiments.laboratory.privacy"))) / "protocol.yaml"
THRESHOLDS: Final = "thresholds.yaml"
"""Beside a protocol: what SSIM and PSNR on unseen pixels have to reach for a success."""

Count = Annotated[int, Field(ge=1)]


class Sizes(Strict):
    """Pictures of each split."""

    attack_train: Count = Field(alias="attack-train")
    attack_validate: Count = Field(alias="attack-validate")
    calibrate: Count
    test: Count

    @property
    def recorded(self) -> int:
        """How many are run by each policy."""
        return self.attack_train + self.attack_validate + self.test


class Texts(Strict):
    """Texts of each split, and the tokens of an answer."""

    attack_train: Count = Field(alias="attack-train")
    attack_validate: Count = Field(alias="attack-validate")
    test: Count
    answer: Count


class Spending(Strict):
    """What an attacker that is a network may spend; see `attacks.learning.Budget`."""

    steps: Count
    batch: Count
    rate: Annotated[float, Field(gt=0)]
    every: Count


class Descent(Strict):
    """What descent through the model (A4) may spend; see `attacks.optimisation.Descending`.

    It is tried on so many ``pictures`` of those attacked: each takes seconds.
    """

    pictures: Count
    steps: Count
    rate: Annotated[float, Field(gt=0)]
    tried: Count


class Decision(Strict):
    """When a design is good enough: the least accuracy kept, the most success of an attack.

    Each is judged by the near bound of its interval: accuracy by the lower, attacks by the upper.
    """

    kept: Annotated[float, Field(gt=0, le=1)]
    attacked: Annotated[float, Field(gt=0, le=1)]


class Protocol(Strict):
    """What is measured, on how many pictures, and what attackers may do; see the file shipped."""

    threat: str
    prior: Annotated[float, Field(ge=0, le=1)]
    seed: Annotated[int, Field(ge=0)]
    pictures: Sizes
    candidates: Annotated[int, Field(ge=2)]
    coalitions: tuple[Count, ...]
    most_coalitions: Count
    frames: tuple[Count, ...]
    deep: Annotated[int, Field(ge=0)]
    texts: Texts
    budget: Spending
    descent: Descent
    limits: Decision


def read_protocol(path: Path = SHIPPED) -> Protocol:
    """Return a protocol; `topologies.documents.DocumentError` where the file is none."""
    return parse(Protocol, read_document(path), path.name)


class Frozen(Strict):
    """The thresholds of a protocol, known by its ``digest``: of an older one they are of no use."""

    digest: str
    ssim: float
    psnr_db: float


def read_thresholds(path: Path) -> Frozen:
    """Return the thresholds that were frozen for the protocol in ``path``.

    Raises `DocumentError` where there are none, or where the protocol has changed since.
    """
    beside = path.with_name(THRESHOLDS)
    frozen = parse(Frozen, read_document(beside), beside.name)
    if frozen.digest != digest(path):
        raise DocumentError(
            f"{beside}: is of another {path.name} ({frozen.digest}); remove it, and before any "
            "attack freeze them anew with 'tessera privacy --freeze'"
        )
    return frozen


def freeze(path: Path, ssim: float, psnr_db: float) -> Path:
    """Write the thresholds of a protocol beside it; return where.

    Raises `RealRunError` where there is no room.
    """
    beside = path.with_name(THRESHOLDS)
    found = {"digest": digest(path), "ssim": round(ssim, 6), "psnr_db": round(psnr_db, 6)}
    with whole(beside) as part:
        part.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    return beside
