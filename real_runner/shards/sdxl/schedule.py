"""The schedulers of `diffusers`, asked for one step at a time.

Theirs keep a place in the schedule and what they look back at; here every step gets a scheduler of
its own, put at its place. So a step is a function of latents and noises, whoever takes it, in
whatever order pictures and steps come.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch

from real_runner.shards.packages import class_named, unwarned
from workloads.sdxl.model import TRAINED_STEPS, Sdxl

COMMON: dict[str, Any] = {
    "num_train_timesteps": TRAINED_STEPS,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
"""As ``scheduler/scheduler_config.json`` of stable-diffusion-xl-base-1.0 has it."""

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
}
"""The class of each of `workloads.sdxl.model.SCHEDULERS`, and what it is told besides."""


class Field(NamedTuple):
    """A latent and the noise predicted for it, both (1, channels, height, width)."""

    latent: torch.Tensor
    noise: torch.Tensor


class Schedule:
    """All steps of a picture; holds nothing of any one picture."""

    def __init__(self, model: Sdxl, device: torch.device) -> None:
        name, settings = KINDS[model.scheduler]
        self._template = class_named("diffusers", name)(**COMMON, **settings)
        with unwarned():
            self._template.set_timesteps(model.steps, device)
        self.looks_back = int(model.remembers)

    @property
    def spread(self) -> Any:
        """What the first latent's normal numbers are multiplied with."""
        return self._template.init_noise_sigma

    def time(self, done: int) -> torch.Tensor:
        """Return the denoiser's time after ``done`` steps."""
        moment: torch.Tensor = self._template.timesteps[done]
        return moment

    def scaled(self, latents: torch.Tensor, done: int) -> torch.Tensor:
        """Return latents as the denoiser reads them after ``done`` steps."""
        scaled: torch.Tensor = self._at(done).scale_model_input(latents, self.time(done))
        return scaled

    def step(self, done: int, fields: Sequence[Field]) -> torch.Tensor:
        """Return the latent after step ``done``, which makes it ``done + 1``.

        The last of ``fields`` is that step's; before it come those of the steps that the scheduler
        looks back at, as many as there are, `looks_back` at most. They are gone through again.
        """
        first = done + 1 - len(fields)
        scheduler = self._at(first)
        scheduler.scale_model_input(fields[0].latent, self.time(first))  # or it complains
        for place, field in enumerate(fields, first):
            latent: torch.Tensor = scheduler.step(
                field.noise, self.time(place), field.latent, return_dict=False
            )[0]
        return latent

    def _at(self, done: int) -> Any:
        scheduler = deepcopy(self._template)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(done)
        return scheduler
