"""One sitting of a course of training: from wherever it stands to its end, and what is kept."""

import platform
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import torch

from experiments.laboratory.checkpoints import WEIGHTS, digest
from experiments.laboratory.training.course import Course, weights_of
from experiments.laboratory.training.notebook import Notebook
from experiments.laboratory.training.orders import Mark, Orders
from real_runner.errors import RealRunError
from real_runner.shards.saving import save
from real_runner.shards.weights import read
from workloads.sam.variants import VARIANTS

TESTED: Final = 500
"""Scenes of the split ``test`` that a course is judged by at its end."""


def go_through(
    orders: Orders,
    folder: Path,
    device: str,
    threads: int,
    begin_from: Path | None,
    told: Callable[[], None],
    marked: Callable[[Mark], None],
) -> dict[str, Any]:
    """Train to the end; return the report, which stands in ``folder`` beside the weights.

    ``device`` is ``cpu``, ``cuda`` or ``auto``, ``threads`` those of a processor, 0 for all.
    ``begin_from`` is a checkpoint to begin with, or nothing.
    ``told`` is told of each step, those done before included, ``marked`` of each mark. Raises
    `RealRunError` where the device is not there, or the folder holds a course with other orders or
    is another's just now.
    """
    if threads:
        torch.set_num_threads(threads)
    where = _device(device)
    beginning = None
    if begin_from is not None:
        beginning = read(begin_from)
        orders = orders.model_copy(update={"begins_with": digest(begin_from)})
    with closing(Notebook(folder)) as notebook:
        course = Course(orders, VARIANTS[orders.variant], where, beginning)
        course.take_up(notebook)
        for _ in range(course.step):
            told()
        seconds = course.before_s
        for mark in course.run(notebook, told):
            seconds = mark.seconds
            marked(mark)
        point, box = course.examined("test", TESTED)
        save(weights_of(course.sam), folder / WEIGHTS)
        report = {
            "orders": orders.model_dump(),
            "weights": digest(folder / WEIGHTS),
            "test": {"scenes": TESTED, "miou_point": round(point, 5), "miou_box": round(box, 5)},
            "parameters": sum(each.numel() for each in course.sam.parameters()),
            "training_s": round(seconds),
            "device": where if where == "cpu" else torch.cuda.get_device_name(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "machine": platform.machine(),
        }
        notebook.report(report)
    return report


def _device(asked: str) -> str:
    has_one = torch.cuda.is_available()
    if asked == "cuda" and not has_one:
        raise RealRunError("--device cuda: no CUDA device is found here; leave the option out")
    found = "cuda" if asked != "cpu" and has_one else "cpu"
    torch.use_deterministic_algorithms(mode=True, warn_only=found == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what is unset
    return found
