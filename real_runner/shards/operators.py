"""Importing `segment_anything` where torchvision's compiled operators do not load.

torchvision asks on import for two operators that only its compiled library declares, and the
wheel for a processor does not fit every build of torch. What is missing is declared here, with
a kernel for the one that `segment_anything` can call.
"""

import importlib
import importlib.util
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import torch

from real_runner.errors import RealRunError

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_segment_anything() -> ModuleType:
    """Return the package, after declaring what torchvision lacks; nothing where it lacks nothing.

    Raises `RealRunError` where one of the packages is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages' making: none is about this program
        declare_missing()
        try:
            importlib.import_module("segment_anything.modeling")
            return importlib.import_module("segment_anything")
        except ImportError as error:
            raise RealRunError(
                f"package {error.name or 'segment_anything'}: not installed ({error}); "
                "install tessera[real]"
            ) from error


def declare_missing() -> tuple[str, ...]:
    """Declare torchvision's operators where native ones are missing; return the declared names."""
    _load_native()
    missing = tuple(name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name))
    for name in missing:
        torch.library.define(f"torchvision::{name}", _SCHEMAS[name])
    if "nms" in missing:
        torch.library.impl("torchvision::nms", ("cpu", "cuda"), nms)
    return missing


def _load_native() -> None:
    """Load torchvision's compiled library if it fits; importing torchvision would do the same."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        with suppress(OSError):  # built for another torch: we have operators of our own
            torch.ops.load_library(library)


def nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Return the indices (int64) of the boxes that no better box overlaps too much.

    ``dets`` is (N, 4): left, top, right, bottom; ``scores`` is (N,). Boxes are taken by falling
    score, equal scores in the order given; one is dropped if its intersection over union with a
    box kept before it is larger than ``iou_threshold``. As ``torchvision::nms`` does.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = dets[order].to(torch.float64)
    overlaps = _overlaps(boxes) > iou_threshold
    kept = torch.ones(len(order), dtype=torch.bool, device=dets.device)
    for better in range(len(order)):
        if kept[better]:
            kept[better + 1 :] &= ~overlaps[better, better + 1 :]
    return order[kept]


def _overlaps(boxes: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union of every two boxes, (N, N); not a number for points."""
    left_top = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (right_bottom - left_top).clamp(min=0).prod(-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return common / (areas[:, None] + areas[None, :] - common)
