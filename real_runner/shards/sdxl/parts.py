"""The modules that a node's stages need, each read when the first of them needs it."""

from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import nn

from real_runner.shards.sdxl.architecture import TEXT_ENCODERS, UNET, VAE
from real_runner.shards.sdxl.checkpoint import load
from workloads.sdxl.variants import Variant


class Parts:
    """Modules by name, in one dtype on one device.

    The decoder alone never computes at half precision, where its numbers overflow (``upcast_vae``
    of the pipeline, for the same reason). Raises `RealRunError` where numbers cannot be read.
    """

    def __init__(
        self, variant: Variant, weights: Path, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._variant = variant
        self._weights = weights
        self._dtype = dtype
        self._device = device
        self._loaded: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The parts that have been read so far."""
        return tuple(self._loaded)

    @property
    def unet(self) -> Any:
        """The denoiser."""
        return self._part(UNET, self._dtype)

    @property
    def vae(self) -> Any:
        """The decoder."""
        return self._part(VAE, torch.promote_types(self._dtype, torch.float32))

    @property
    def encoders(self) -> tuple[Any, ...]:
        """The text encoders."""
        return tuple(self._part(name, self._dtype) for name in TEXT_ENCODERS)

    def _part(self, name: str, dtype: torch.dtype) -> Any:
        with self._lock:
            if name not in self._loaded:
                module = load(self._weights, self._variant, name)
                # the classes' own `to` warns of layers to be kept in fp32, of which SDXL has none
                self._loaded[name] = nn.Module.to(module, self._device, dtype)
            return self._loaded[name]
