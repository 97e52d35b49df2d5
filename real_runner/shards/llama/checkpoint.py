"""Where the numbers of a Llama lie: in a folder as `transformers` writes it, or in one file.

A folder has ``model.safetensors``, or several files and an index that lists them; what else lies
there (adapters, other formats) is left alone. A drafter's lie in the same way in the folder
``drafter`` in it. A single file has all names of a published
checkpoint, those of a drafter after ``drafter.``. Nothing is read but what is asked for.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch

from real_runner.errors import RealRunError
from real_runner.shards.llama.architecture import shapes
from real_runner.shards.opening import opened
from workloads.llama.model import Llama
from workloads.llama.variants import Architecture

DRAFTER = "drafter"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class Checkpoint:
    """The tensors of one Llama by name; with ``drafter``, those of the one that guesses.

    Raises `RealRunError` where something cannot be read.
    """

    def __init__(self, path: Path, *, drafter: bool = False) -> None:
        self.path = path / DRAFTER if drafter and path.is_dir() else path
        self._prefix = f"{DRAFTER}." if drafter and not path.is_dir() else ""
        self._files: dict[str, Path] = {}
        for file in _files(self.path):
            with opened(file) as content:
                listed = list(content.keys())
                names = (name for name in listed if name.startswith(self._prefix))
                self._files |= {name.removeprefix(self._prefix): file for name in names}

    def check(self, architecture: Architecture) -> None:
        """Raise `RealRunError` unless all that an architecture wants is there, in its shapes.

        Of more layers than it has some would be left out, so it is not the model's.
        """
        for name, wanted in shapes(architecture).items():
            found = self.shape(name)
            if found != wanted:
                there = "is missing" if found is None else f"has shape {found}, wanted {wanted}"
                raise self._another(name, there, architecture)
        beyond = f"model.layers.{architecture.layers}."
        extra = next((name for name in self._files if name.startswith(beyond)), "")
        if extra:
            raise self._another(extra, f"is of a layer beyond {architecture.layers}", architecture)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a tensor, or None where it is not there."""
        if name not in self._files:
            return None
        with opened(self._files[name]) as content:
            return tuple(content.get_slice(self._prefix + name).get_shape())

    def tensor(self, name: str) -> torch.Tensor:
        """Return a tensor, in the dtype of its file."""
        if name not in self._files:
            raise RealRunError(f"weights {self.path}: {self._prefix}{name} is missing")
        with opened(self._files[name]) as content:
            found: torch.Tensor = content.get_tensor(self._prefix + name)
        return found

    def _another(self, name: str, there: str, architecture: Architecture) -> RealRunError:
        return RealRunError(
            f"weights {self._files.get(name, self.path)}: {self._prefix}{name} {there}; give a "
            f"checkpoint of {architecture.name}, or choose the model that it is of"
        )


def check(path: Path, model: Llama) -> None:
    """Raise `RealRunError` unless ``path`` holds a model's weights, and those of its drafter."""
    Checkpoint(path).check(model.architecture)
    if model.drafter is not None:
        Checkpoint(path, drafter=True).check(model.drafter)


def _files(path: Path) -> Iterator[Path]:
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if path.is_file():
        files = [path]
    elif single.exists():
        files = [single]
    elif index.exists():
        files = _listed(index)
    else:
        files = sorted(path.glob("*.safetensors"))
    if not files:
        raise RealRunError(
            f"weights {path}: no .safetensors file there; give one, or a folder as transformers "
            "saves a LlamaForCausalLM (a .bin of older ones is to be converted first)"
        )
    yield from files


def _listed(index: Path) -> list[Path]:
    """Return the files that an index names, as `transformers` writes it."""
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return sorted(index.parent / name for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RealRunError(
            f"weights {index}: cannot be read ({type(error).__name__}); give it as transformers "
            "saves it, with a weight_map of tensors to files"
        ) from error
