"""A learnt choice in a file: the layers of a perceptron, and what they were learnt on.

The file holds arrays only, so that reading it runs no code of a stranger's, and choosing needs
neither torch nor what it was learnt with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from experiments.keeping import whole
from experiments.learning.features import Vector
from sim.errors import PolicyError


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a choice was learnt on: between which ``arms``, and from features of which ``names``.

    ``origins`` and ``deadline_s`` are those of the scenario, which features are made with.
    """

    arms: tuple[str, ...]
    names: tuple[str, ...]
    origins: tuple[str, ...]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights, one row per output, and biases."""

    weights: npt.NDArray[np.float32]
    biases: Vector

    def of(self, values: Vector) -> Vector:
        """Return the outputs for these inputs."""
        found: Vector = self.weights @ values + self.biases
        return found


@dataclass(frozen=True, eq=False)
class Network:
    """Layers with tanh between them, from the features of a ``lesson`` to a value per arm.

    Raises `PolicyError` where they do not fit together.
    """

    lesson: Lesson
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        ends = [len(self.lesson.names), *(len(layer.biases) for layer in self.layers)]
        shapes = [layer.weights.shape for layer in self.layers]
        if shapes != list(zip(ends[1:], ends, strict=False)) or ends[-1] != len(self.lesson.arms):
            raise PolicyError(f"layers of {shapes} weights do not lead from features to arms")

    def choose(self, features: Vector) -> int:
        """Return the arm of the greatest value."""
        *hidden, last = self.layers
        for layer in hidden:
            features = np.tanh(layer.of(features))
        return int(np.argmax(last.of(features)))

    def save(self, path: Path) -> None:
        """Write the file; `real_runner.errors.RealRunError` where it cannot be."""
        arrays = {_LESSON: np.array(_LESSONS.dump_json(self.lesson).decode())}
        for place, layer in enumerate(self.layers):
            arrays |= {f"weights-{place}": layer.weights, f"biases-{place}": layer.biases}
        with whole(path) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what `save` wrote; `PolicyError` where that is not what is there."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                lesson = _LESSONS.validate_json(str(file[_LESSON]))
                places = range(len(file.files) // 2)
                layers = [Layer(file[f"weights-{each}"], file[f"biases-{each}"]) for each in places]
                return cls(lesson, tuple(layers))
        except FileNotFoundError:
            raise PolicyError(f"network: there is no file {str(path)!r}") from None
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
            why = str(error).partition("\n")[0]
            raise PolicyError(f"network: {str(path)!r} is no learnt network ({why})") from error


_LESSON: Final = "lesson"
_LESSONS: Final = TypeAdapter(Lesson)


def layers_of(state: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the layers of the actor in the state of a policy of stable-baselines3's PPO.

    That is an ``MlpPolicy`` with its default activation, tanh.
    """
    actor = ("mlp_extractor.policy_net.", "action_net.")
    names = [key.removesuffix(".weight") for key in state
             if key.startswith(actor) and key.endswith(".weight")]  # fmt: skip
    return tuple(
        Layer(state[f"{name}.weight"].cpu().numpy(), state[f"{name}.bias"].cpu().numpy())
        for name in names
    )
