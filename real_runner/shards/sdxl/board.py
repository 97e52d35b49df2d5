"""What lies on a node for one request. It stays until the request is forgotten."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from real_runner.errors import StepError

Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Board:
    """The board of one request on one node; may be read and written from several threads.

    ``prompts`` are token numbers, (prompts, tokens), ``seed`` that of the first latent. What the
    denoiser is told has a row per prompt, the one to avoid first: ``embedding``
    (prompts, tokens, context), ``pooled`` (prompts, pooled), ``sizes`` (prompts, 6), int32.
    ``latents`` and ``noises`` are (1, channels, height, width), by how many steps came before;
    ``read_back`` are noises made here as others have them. ``previews`` and ``image`` are raw RGB.
    """

    prompts: npt.NDArray[np.int32] | None = None
    seed: int = 0
    embedding: torch.Tensor | None = None
    pooled: torch.Tensor | None = None
    sizes: npt.NDArray[np.int32] | None = None
    latents: dict[int, torch.Tensor] = field(default_factory=dict)
    noises: dict[int, torch.Tensor] = field(default_factory=dict)
    read_back: dict[int, torch.Tensor] = field(default_factory=dict)
    previews: dict[int, Bytes] = field(default_factory=dict)
    image: Bytes | None = None

    def write_noise(self, done: int, noise: torch.Tensor) -> None:
        """Keep a noise, and nothing of another one for the same step."""
        self.read_back.pop(done, None)
        self.noises[done] = noise

    def latent(self, done: int, need: str) -> torch.Tensor:
        """Return the latent after ``done`` steps; `StepError`, beginning with ``need``, if gone."""
        return self._held(self.latents, f"the latent after {done} steps", done, need)

    def noise(self, done: int, need: str) -> torch.Tensor:
        """Return the noise of step ``done``; `StepError`, beginning with ``need``, if gone."""
        return self._held(self.noises, f"the noise of step {done}", done, need)

    def lacking(self, what: str, need: str) -> StepError:
        """Return the error that says what is not here, and what is."""
        return StepError(f"{need}: needs {what}; here lie {self.content()}")

    def content(self) -> str:
        """Return in words what lies here."""
        names = ("prompts", "embedding", "pooled", "sizes", "image")
        there = [name for name in names if getattr(self, name) is not None]
        for name in ("latents", "noises", "previews"):
            places = sorted(getattr(self, name).copy())
            if places:
                there.append(f"{name} after {', '.join(map(str, places))} steps")
        return "; ".join(there) or "nothing"

    def _held(self, held: dict[int, torch.Tensor], what: str, done: int, need: str) -> torch.Tensor:
        found = held.get(done)
        if found is None:
            raise self.lacking(what, need)
        return found
