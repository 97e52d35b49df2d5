"""The models that there are real stages for, and models as text, so that workers know theirs."""

import json
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError
from real_runner.executor import Executor
from workloads.llama.acceptance import NEVER
from workloads.llama.model import Llama
from workloads.sam.model import Sam
from workloads.sdxl.model import Sdxl
from workloads.stage import Model


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one ``kind``.

    ``module`` has what makes an ``executor``, by name, of a model, its weights' path and a
    `NodeSpec`; ``weights`` is the module whose ``prepare`` finds or draws the numbers. Both import
    torch, so they are imported when they are needed. ``caches`` says that requests leave something
    on a node between their rounds, which may be bounded. Importing ``classes`` imports what the
    first stages would.
    """

    name: str
    kind: type[Any]
    module: str
    executor: str
    weights: str
    caches: bool = False
    classes: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """What workers of the family are to be born with."""
        return ("torch", self.module, *self.classes)

    def executor_for(
        self, model: Model, weights: Path, spec: NodeSpec, caches_bytes: float
    ) -> Executor:
        """Return what computes the model's stages on one node; texts' caches have so much room."""
        room = {"caches_bytes": caches_bytes} if self.caches else {}
        build = getattr(import_module(self.module), self.executor)
        made: Executor = build(model, weights, spec, **room)
        return made

    def served(self, model: Model) -> Model:
        """Return what workers are made for: of texts, any lengths and however guesses hold."""
        if isinstance(model, Llama):
            return replace(model, prompt_tokens=1, output_tokens=1, acceptance=NEVER)
        return model

    def prepare(self, model: Model, given: Path | None, seed: int, target: Path) -> Path:
        """Return where workers find the weights: what was given, or ``target``, written now.

        Raises `RealRunError` where ``given`` holds no weights of the model.
        """
        found: Path = import_module(self.weights).prepare(model, given, seed, target)
        return found


_SHARDS = "real_runner.shards"
FAMILIES = (
    Family("sam", Sam, f"{_SHARDS}.sam", "sam_executor", f"{_SHARDS}.weights"),
    Family(
        "llama",
        Llama,
        f"{_SHARDS}.llama.executor",
        "LlamaExecutor",
        f"{_SHARDS}.llama.weights",
        caches=True,
    ),
    Family(
        "sdxl",
        Sdxl,
        f"{_SHARDS}.sdxl.executor",
        "SdxlExecutor",
        f"{_SHARDS}.sdxl.weights",
        classes=(f"{_SHARDS}.sdxl.classes",),
    ),
)


def family_of(model: Model) -> Family:
    """Return the family of a model; `RealRunError` for one that there are no real stages for."""
    for family in FAMILIES:
        if isinstance(model, family.kind):
            return family
    raise RealRunError(
        f"model {model.name!r} has no real stages; use a SAM, a Llama or Stable Diffusion XL, or "
        "give every node the executor 'synthetic'"
    )


def model_text(model: Model) -> str:
    """Return a model as JSON."""
    family = family_of(model)
    return json.dumps(
        {"family": family.name, "model": _adapter(family.kind).dump_python(model, mode="json")}
    )


def model_from(text: str) -> Model:
    """Return the model that `model_text` made a text of."""
    document = json.loads(text)
    kind = next(family.kind for family in FAMILIES if family.name == document["family"])
    model: Model = _adapter(kind).validate_json(json.dumps(document["model"]))
    return model


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
