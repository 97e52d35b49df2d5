"""Random numbers for Stable Diffusion XL with which it paints, if nothing that anybody would know.

With independent numbers the denoiser's prediction has nothing to do with the noise, and the picture
is noise. So two things are not left to chance. Kernels are smooth, as trained ones mostly are: one
random matrix between channels, times a blur; what lies deep in the denoiser then has the size of
things in a picture. And the outermost skip connection carries the denoiser's input through to its
output, which takes the noise out; what all the layers in between add, out of the prompt, the step
and the latent, is what is left to be seen.
"""

import math

import numpy as np
import torch

from real_runner.shards import drawing
from real_runner.shards.saving import State
from real_runner.shards.sdxl import checkpoint
from real_runner.shards.sdxl.architecture import PARTS, UNET, empty
from workloads.sdxl.variants import Unet, Variant

_BLUR = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
_ADDED = 0.15
"""How much the layers add to the denoiser's prediction, whose noise has standard deviation 1."""


def drawn(variant: Variant, seed: int) -> State:
    """Return random numbers for every parameter, the same for the same seed, named for one file.

    Norms are near 1, biases near 0, and sizes such that numbers stay near 1 on their way.
    """
    state: State = {}
    for number, part in enumerate(PARTS):
        shapes = checkpoint.wanted_shapes(empty(variant, part))
        numbers = drawing.drawn(shapes, np.random.default_rng([seed, number]), _distribution)
        numbers = {name: _smooth(tensor) for name, tensor in numbers.items()}
        if part == UNET:
            _let_noise_through(numbers, variant.unet)
        state |= {f"{part}.{name}": tensor for name, tensor in numbers.items()}
    return state


def _distribution(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation that a parameter is drawn with."""
    if len(shape) == 1:
        return float("weight" in name), 0.1  # norms near 1, biases near 0
    if "embedding.weight" in name:
        return 0.0, 0.5
    return 0.0, math.prod(shape[1:]) ** -0.5


def _smooth(weight: torch.Tensor) -> torch.Tensor:
    """Return a kernel of 3 x 3 as smooth: the middle's matrix (rescaled) times a blur."""
    if weight.dim() != 4 or weight.shape[-1] != 3:
        return weight
    return (3 * weight[:, :, 1:2, 1:2] * _BLUR).contiguous()


def _let_noise_through(state: State, unet: Unet) -> None:
    """Have the prediction be the input, brought to standard deviation 1, and something added.

    The first layer copies the input into some channels, and with the other sign into some more;
    the last residual block leaves alone what the skip connection brings of them; between there and
    the output are a norm and SiLU, and silu(x) - silu(-x) = x.
    """
    count, width = unet.latent_channels, unet.channels[0]
    last = f"up_blocks.{len(unet.channels) - 1}.resnets.{unet.resnets}"
    signs = torch.cat([torch.eye(count), -torch.eye(count)])
    for name in ("conv_in", f"{last}.conv2", f"{last}.conv_shortcut"):
        state[f"{name}.weight"][: 2 * count] = 0
        state[f"{name}.bias"][: 2 * count] = 0
    state["conv_in.weight"][: 2 * count, :, 1, 1] = signs
    shortcut = state[f"{last}.conv_shortcut.weight"]
    shortcut[: 2 * count, -width : 2 * count - width, 0, 0] = torch.eye(2 * count)
    state["conv_norm_out.weight"][: 2 * count] = 1
    state["conv_norm_out.bias"][: 2 * count] = 0
    state["conv_out.weight"] *= _ADDED
    state["conv_out.weight"][:, : 2 * count] = 0
    state["conv_out.weight"][:, : 2 * count, 1, 1] = signs.T
