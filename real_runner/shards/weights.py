"""The numbers of SAM: read from a user's checkpoint, or drawn by seed.

The names are those of ``segment_anything``'s checkpoints. The small encoder of mode `image`, which
they do not have, may stand beside them under the prefix ``tile_encoder.``.
"""

import math
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError  # what torch raises; nothing is unpickled but tensors

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from real_runner.errors import RealRunError
from real_runner.shards import drawing
from real_runner.shards.architecture import empty_sam, empty_tile_encoder, tile_variant
from real_runner.shards.saving import State, save
from workloads.sam.model import Sam
from workloads.sam.variants import Variant

TILE_PREFIX = "tile_encoder."


def prepare(model: Sam, given: Path | None, seed: int, target: Path) -> Path:
    """Write the weights that workers read: a user's checkpoint, or numbers drawn by ``seed``.

    What a checkpoint lacks of the encoder of mode `image` is drawn. ``target`` is a
    ``.safetensors`` file, and is returned. Raises `RealRunError` where ``given`` is no checkpoint
    of the model.
    """
    variant = model.variant
    if given is None:
        state = drawn(variant, seed)
    else:
        state = drawn_tile_encoder(variant, seed) | load(given, variant)
    save(state, target)
    return target


def load(path: Path, variant: Variant) -> State:
    """Return the numbers of a checkpoint (``.pth``, ``.safetensors``) of ``variant``.

    Files are mapped into memory, so that workers on one machine share them.

    Raises `RealRunError` where ``path`` is no checkpoint, or one of another model.
    """
    state = read(path)
    _check(state, variant, path)
    return state


def has_tile_encoder(path: Path) -> bool:
    """Whether a checkpoint has the small encoder of mode `image`, too; `RealRunError` for none."""
    return any(name.startswith(TILE_PREFIX) for name in read(path))


def drawn(variant: Variant, seed: int) -> State:
    """Return random numbers for every parameter of ``variant``, the same for the same seed.

    The encoder of mode `image` is among them. None is left at a value that would hide a mistake:
    positions, biases and norms are drawn, too. Their sizes keep activations of any depth near 1.
    """
    shapes = _shapes(empty_sam(variant), "")
    state = _drawn(shapes, np.random.default_rng([seed, 0]), variant.depth)
    return state | drawn_tile_encoder(variant, seed)


def drawn_tile_encoder(variant: Variant, seed: int) -> State:
    """Return random numbers for the encoder of mode `image`."""
    shapes = _shapes(empty_tile_encoder(variant), TILE_PREFIX)
    return _drawn(shapes, np.random.default_rng([seed, 1]), tile_variant(variant).depth)


def _check(state: State, variant: Variant, path: Path) -> None:
    """Raise `RealRunError` unless ``state`` has exactly the numbers that ``variant`` wants."""
    wanted = _shapes(empty_sam(variant), "")
    if any(name.startswith(TILE_PREFIX) for name in state):
        wanted |= _shapes(empty_tile_encoder(variant), TILE_PREFIX)
    problem = _difference({name: tuple(tensor.shape) for name, tensor in state.items()}, wanted)
    if problem:
        raise RealRunError(
            f"weights {path}: {problem}; found {_described(state)}, wanted {variant.name} "
            f"({_summary(variant.dim, variant.depth, variant.grid_tokens)}): give a checkpoint of "
            f"{variant.name} or choose the model that the file is of"
        )


def read(path: Path) -> State:
    """Return the numbers of a checkpoint, whatever model they are of.

    Raises `RealRunError` where ``path`` is none.
    """
    if not path.is_file():
        raise RealRunError(f"weights {path}: no such file; give a .pth or .safetensors checkpoint")
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else _unpacked(path)
    except (SafetensorError, RuntimeError, UnpicklingError, ValueError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _not_a_checkpoint(path, f"cannot be read ({reason})") from error
    if not isinstance(loaded, dict) or not loaded:
        raise _not_a_checkpoint(path, f"holds a {type(loaded).__name__}, not named tensors")
    strangers = [name for name, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise _not_a_checkpoint(path, f"entry {strangers[0]!r} is not a tensor")
    return dict(loaded)


def _unpacked(path: Path) -> object:
    if not zipfile.is_zipfile(path):
        raise ValueError("not in torch's zip format")
    loaded: object = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return loaded


def _not_a_checkpoint(path: Path, found: str) -> RealRunError:
    return RealRunError(
        f"weights {path}: {found}; wanted a state dict of segment_anything, "
        "saved as .pth (torch) or .safetensors"
    )


def _shapes(module: nn.Module, prefix: str) -> dict[str, tuple[int, ...]]:
    return {prefix + name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _difference(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> str:
    """Return the first way in which two sets of named shapes differ, if they do."""
    for name, shape in wanted.items():
        if name not in found:
            return f"lacks {name}"
        if found[name] != shape:
            return f"{name} has shape {found[name]} instead of {shape}"
    extra = [name for name in found if name not in wanted]
    return f"has {extra[0]}, which the model has not" if extra else ""


def _described(state: Mapping[str, torch.Tensor]) -> str:
    """Return what sort of encoder the numbers are of, as far as can be told."""
    places = state.get("image_encoder.pos_embed")
    if places is None or places.dim() != 4:
        return f"{len(state)} tensors that are not a SAM's"
    blocks = {name.split(".")[2] for name in state if name.startswith("image_encoder.blocks.")}
    return _summary(places.shape[-1], len(blocks), places.shape[1])


def _summary(dim: int, depth: int, grid_tokens: int) -> str:
    return f"dim {dim}, {depth} blocks, {grid_tokens}×{grid_tokens} tokens"


def _drawn(
    shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator, depth: int
) -> State:
    return drawing.drawn(shapes, generator, partial(_distribution, depth))


def _distribution(depth: int, name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation that a parameter is drawn with."""
    if "rel_pos" in name:
        return 0.0, shape[-1] ** -0.5  # a query of head_dim numbers near 1 gives a bias near 1
    if "embed" in name.rsplit(".", maxsplit=1)[-1] or "token" in name or "point_embed" in name:
        return 0.0, 0.5
    if name.endswith("gaussian_matrix") or "no_mask_embed" in name or "not_a_point" in name:
        return 0.0, 1.0
    if len(shape) == 1:
        return float("weight" in name), 0.2  # norms near 1, biases near 0
    into_residual = ".blocks." in name and name.endswith(("attn.proj.weight", "mlp.lin2.weight"))
    fan_in = math.prod(shape[1:])
    return 0.0, (fan_in * (2 * depth if into_residual else 1)) ** -0.5
