"""Reference implementations, imported where torchvision's compiled operators do not load."""

import importlib
import importlib.util
import warnings
from types import ModuleType

import pytest


def imported(name: str, *classes: str) -> ModuleType:
    """Import a package whose classes are loaded on first use, with whatever it warns of."""
    pytest.importorskip("torch")
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    operators = pytest.importorskip("real_runner.shards.operators")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages' making: none is about this program
        operators.declare_missing()
        module = importlib.import_module(name)
        for each in classes:
            getattr(module, each)
    return module


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    return imported(
        "transformers", "LlamaForCausalLM", "CLIPTextModel", "CLIPTextModelWithProjection"
    )


@pytest.fixture(scope="session")
def diffusers(transformers: ModuleType) -> ModuleType:
    del transformers  # which diffusers imports in turn
    return imported("diffusers", "UNet2DConditionModel", "AutoencoderKL")
