"""Where the numbers of a part lie: in a folder as `diffusers` writes it, or in one file.

A folder has one per part (``unet/``, ``vae/``, ``text_encoder/``, ``text_encoder_2/``), in it one
``.safetensors`` file or several; where there are files at half precision beside others, the others
are taken. A single file has all parts' tensors, named ``unet.…``, ``vae.…`` and so on. Either may
hold more than is wanted, as the encoder of the autoencoder. Nothing is read but what is asked for.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from real_runner.errors import RealRunError
from real_runner.shards.opening import opened
from real_runner.shards.saving import State
from real_runner.shards.sdxl.architecture import PARTS, empty
from workloads.sdxl.variants import Variant

_WRAPPER = "text_model."
"""What the published names of a text encoder begin with, and its class's own may not."""


class _Place(NamedTuple):
    file: Path
    name: str


def check(path: Path, variant: Variant) -> None:
    """Raise `RealRunError` unless ``path`` holds all that ``variant`` wants, in its shapes."""
    for part in PARTS:
        _places_of(path, variant, part, wanted_shapes(empty(variant, part)))


def load(path: Path, variant: Variant, part: str) -> nn.Module:
    """Return one of `PARTS` with its numbers, in the dtype of the file.

    They are copied out of the file: where numbers do not begin on the bounds that torch gives its
    own, its kernels round otherwise. Raises `RealRunError` where the numbers are not there, or
    those of another model.
    """
    module = empty(variant, part)
    places = _places_of(path, variant, part, wanted_shapes(module))
    module.load_state_dict(_read(places), assign=True)
    for each in module.modules():  # numbers that no file has, left on the meta device
        if "position_ids" in each._buffers:  # noqa: SLF001 - there is no other way to replace one
            each.position_ids = torch.arange(each.position_ids.shape[-1])[None]
    return module


def wanted_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter by name."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _places_of(
    path: Path, variant: Variant, part: str, wanted: dict[str, tuple[int, ...]]
) -> dict[str, _Place]:
    """Return where each wanted tensor is, its shape checked."""
    found = _listed(path, part)
    chosen = {}
    for name, shape in wanted.items():
        place = found.get(name) or found.get(_WRAPPER + name)
        if place is None:
            raise _misfit(path, part, f"lacks {part}'s {name} {shape}", variant)
        chosen[name] = place
    for file in {place.file for place in chosen.values()}:
        with opened(file) as content:
            for name, place in chosen.items():
                if place.file != file:
                    continue
                shape = tuple(content.get_slice(place.name).get_shape())
                if shape != wanted[name]:
                    found_, wanted_ = f"has shape {shape}", f"wanted {wanted[name]}"
                    raise _misfit(file, part, f"{place.name} {found_}, {wanted_}", variant)
    return chosen


def _listed(path: Path, part: str) -> dict[str, _Place]:
    """Return every tensor of a part, by its name in the part."""
    if path.is_dir():
        return {name: _Place(file, name) for file in _files(path / part) for name in _names(file)}
    if not path.is_file():
        raise RealRunError(
            f"weights {path}: no such file or folder; give a .safetensors file, or a folder with "
            f"{', '.join(PARTS)}"
        )
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): _Place(path, name)
        for name in _names(path)
        if name.startswith(prefix)
    }


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    full = [file for file in files if ".fp16." not in file.name]
    if not files:
        raise RealRunError(
            f"weights {folder}: no .safetensors file there; give a folder as diffusers saves a "
            "StableDiffusionXLPipeline"
        )
    return full or files


def _names(file: Path) -> list[str]:
    with opened(file) as content:
        return list(content.keys())


def _read(places: dict[str, _Place]) -> State:
    state = {}
    for file in {place.file for place in places.values()}:
        with opened(file) as content:
            for name, place in places.items():
                if place.file == file:
                    state[name] = content.get_tensor(place.name).clone()
    return state


def _misfit(path: Path, part: str, problem: str, variant: Variant) -> RealRunError:
    return RealRunError(
        f"weights {path}: {problem}; give the {part} of {variant.name}, or choose the model that "
        "the weights are of"
    )
