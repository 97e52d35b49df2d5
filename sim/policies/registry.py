"""Policies by name, with parameters, from Tessera or from a file of the user's own.

A policy is written ``name``, ``name:key=value,key=value`` or ``path/to/file.py:Class:key=value``.
"""

import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from sim.errors import PolicyError
from sim.policies.bandit import Bandit
from sim.policies.chain import BestSplit, Local, Offload
from sim.policies.deadline import DeadlineAware
from sim.policies.denoising import SplitDenoising
from sim.policies.denoising import summary as design_summary
from sim.policies.generating import CloudOnly, EdgeOnly
from sim.policies.lambda_split import LambdaSplit, Pipelined
from sim.policies.lambda_split_best import LambdaSplitBest
from sim.policies.min_cut import MinCut
from sim.policies.pipeline import Pipeline
from sim.policies.sharded import Sharded
from sim.policies.shares import Shares
from sim.policy import Policy
from workloads.llama.model import Llama
from workloads.sam.modes import summary as mode_summary
from workloads.sdxl.model import Sdxl
from workloads.stage import Model

Entries = Mapping[str, tuple[type[Policy], dict[str, str]]]

POLICIES: Entries = {
    "local": (Local, {}),
    "offload": (Offload, {}),
    "best-split": (BestSplit, {}),
    "min-cut": (MinCut, {}),
    "pipeline": (Pipeline, {}),
    "deadline-aware": (DeadlineAware, {}),
    "bandit": (Bandit, {}),
    "sharded/exact": (Sharded, {"mode": "exact"}),
    "sharded/prefix": (Sharded, {"mode": "prefix"}),
    "sharded/deferred": (Sharded, {"mode": "deferred"}),
    "sharded/local-attention": (Sharded, {"mode": "local-attention"}),
    "sharded/landmark": (Sharded, {"mode": "landmark"}),
    "sharded/image": (Sharded, {"mode": "image"}),
    "sharded/shares": (Shares, {}),
}
"""For models that look at a picture."""

WRITING: Entries = {
    "edge-only": (EdgeOnly, {}),
    "cloud-only": (CloudOnly, {}),
    "lambda-split": (LambdaSplit, {}),
    "lambda-split/pipelined": (Pipelined, {}),
    "lambda-split-best": (LambdaSplitBest, {}),
}
"""For models that answer a prompt with text."""

PAINTING: Entries = {
    "edge-only": (EdgeOnly, {}),
    "cloud-only": (CloudOnly, {}),
    "lambda-split/lockstep": (SplitDenoising, {"design": "lockstep"}),
    "lambda-split/edge-scheduler": (SplitDenoising, {"design": "edge-scheduler"}),
}
"""For models that answer a prompt with a picture."""

ALL_POLICIES: Entries = {**POLICIES, **WRITING, **PAINTING}


def policies_for(model: Model) -> tuple[str, ...]:
    """Return the names of the policies that are made for models like this one."""
    if isinstance(model, Llama):
        return tuple(WRITING)
    return tuple(PAINTING if isinstance(model, Sdxl) else POLICIES)


def policy_named(spec: str) -> Policy:
    """Return the policy that ``spec`` describes.

    Raises `PolicyError`, naming the nearest valid word, for an unknown name or parameter, a value
    of the wrong kind, or a file that cannot be used.

    >>> policy_named("sharded/deferred:codec=int8,clouds=4").clouds
    4
    """
    name, parameters = _split(spec)
    if ".py" in name:
        kind = _class_in_file(spec, *name.split(":"))
        return _built(name, kind, parameters, {})
    try:
        kind, fixed = ALL_POLICIES[name]
    except KeyError:
        raise PolicyError(
            f"policy {name!r} is unknown{_nearest(name, ALL_POLICIES)} "
            "('tessera list policies' shows all)"
        ) from None
    return _built(name, kind, parameters, fixed)


def describe(name: str) -> str:
    """Return the first line of a policy's description and its parameters with their defaults."""
    kind, fixed = ALL_POLICIES[name]
    summary = (inspect.getdoc(kind) or "").splitlines()[0]
    if "mode" in fixed:
        summary = f"{summary} {mode_summary(fixed['mode'])}"
    if "design" in fixed:
        summary = f"{summary} {design_summary(fixed['design'])}"
    knobs = ", ".join(
        f"{field.name}={field.default}" for field in _knobs(kind) if field.name not in fixed
    )
    return f"{summary} [{knobs}]" if knobs else summary


def _split(spec: str) -> tuple[str, dict[str, str]]:
    """Take ``name:key=value,…`` apart; a name in a file keeps its own colon."""
    words = spec.split(":")
    length = 2 if words[0].endswith(".py") else 1
    parameters: dict[str, str] = {}
    for pair in filter(None, ":".join(words[length:]).split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise PolicyError(f"policy {spec!r}: {pair!r} is no 'key=value'")
        parameters[key.strip()] = value.strip()
    return ":".join(words[:length]), parameters


def _knobs(kind: type) -> list[Any]:
    return [f for f in fields(kind) if f.init] if is_dataclass(kind) else []


def _built(
    name: str, kind: type[Policy], parameters: Mapping[str, str], fixed: Mapping[str, str]
) -> Policy:
    known = [knob.name for knob in _knobs(kind) if knob.name not in fixed]
    for key in parameters:
        if key not in known:
            raise PolicyError(f"policy {name!r}: unknown parameter {key!r}{_nearest(key, known)}")
    try:
        return _adapter(kind).validate_python({**parameters, **fixed}) if known else kind()
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise PolicyError(
            f"policy {name!r}: {place}{first['msg'].removeprefix('Value error, ')}"
        ) from None
    except (TypeError, PydanticSchemaGenerationError) as error:
        raise PolicyError(
            f"policy {name!r}: its class cannot be made from its parameters: "
            f"{str(error).splitlines()[0]}; give every field a default and a plain type"
        ) from error


@lru_cache(maxsize=64)
def _adapter(kind: type[Policy]) -> TypeAdapter[Policy]:
    """Return what makes a policy of parameters; making it takes longer than its use."""
    return TypeAdapter(kind)


def _class_in_file(spec: str, file: str, class_name: str = "") -> type[Policy]:
    path = Path(file)
    if not class_name:
        raise PolicyError(f"policy {spec!r}: name the class as well, as in {file}:MyPolicy")
    if not path.is_file():
        raise PolicyError(f"policy {spec!r}: there is no file {file!r}")
    source = importlib.util.spec_from_file_location(f"policy_{path.stem}", path)
    if source is None or source.loader is None:
        raise PolicyError(f"policy {spec!r}: {file!r} is no Python file")
    module = importlib.util.module_from_spec(source)
    sys.modules[source.name] = module  # dataclasses look their module up
    try:
        source.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        raise PolicyError(
            f"policy {spec!r}: importing {file} raised {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, class_name, None)
    if not inspect.isclass(found) or not callable(getattr(found, "plan", None)):
        raise PolicyError(f"policy {spec!r}: {file} has no class {class_name!r} with a method plan")
    return cast("type[Policy]", found)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
