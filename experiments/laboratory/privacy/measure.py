"""What a measurement goes by: a protocol, its thresholds, and how pictures look."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.laboratory.attacks.thresholds import Thresholds
from experiments.laboratory.privacy.protocol import Protocol, read_protocol, read_thresholds
from workloads.scenes import Look, Scene, Split, scene


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measurement of any policy goes by; ``look`` is that of the model's pictures."""

    protocol: Protocol
    thresholds: Thresholds
    look: Look

    def scenes(self, split: Split, count: int) -> Iterator[Scene]:
        """Yield the scenes of a split."""
        for index in range(count):
            yield scene(self.look, self.protocol.seed, split, index)


def measure_by(path: Path, side_px: int) -> Measure:
    """Return how to measure pictures of a size by the protocol in ``path``.

    Raises `topologies.documents.DocumentError` where it is none, or has no thresholds yet.
    """
    protocol, frozen = read_protocol(path), read_thresholds(path)
    look = Look(side_px=side_px, prior=protocol.prior)
    return Measure(protocol, Thresholds(frozen.ssim, frozen.psnr_db), look)
