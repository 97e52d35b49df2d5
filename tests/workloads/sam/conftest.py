"""The reference implementation, imported where torchvision's compiled operators do not load."""

import importlib.util
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def declare_missing_operators() -> Any:
    """Declare, without kernels, what torchvision asks for on import; nothing if it is there."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    for native in Path(str(spec.origin)).parent.glob("_C.*"):
        try:
            torch.ops.load_library(native)
        except OSError:
            continue
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library


@pytest.fixture(scope="session")
def segment_anything() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = declare_missing_operators()
        module = pytest.importorskip("segment_anything")
    module.operators = library  # the declarations live as long as the module
    return module
