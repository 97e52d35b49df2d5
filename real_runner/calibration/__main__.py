"""The process that measures: an order on standard input, reports on standard output, as JSON.

It is a process of its own so that its threads are bounded before PyTorch starts any, and so that
nothing else of the program takes part in what it measures.
"""

import os
import sys
import tempfile
from pathlib import Path

import torch

from real_runner.calibration.host import processor
from real_runner.calibration.measuring import WARM_UP, measured
from real_runner.calibration.order import Order, Report
from real_runner.calibration.scripts import scripts, unserved
from real_runner.calibration.stopwatch import stopwatch_for
from real_runner.errors import RealRunError, StepError
from real_runner.models import model_from
from real_runner.shards import shared, stages, weights
from real_runner.shards.sam import SamExecutor
from real_runner.workers.assembly import bound_threads
from real_runner.workers.confinement import confine
from topologies.documents import DocumentError
from workloads.errors import WorkloadError
from workloads.sam.model import Sam


def main() -> None:
    """Measure what is ordered."""
    try:
        _obey(Order.model_validate_json(sys.stdin.read()))
    except (RealRunError, StepError, WorkloadError, DocumentError) as error:
        sys.exit(" ".join(str(error).split()))


def _obey(order: Order) -> None:
    confine(order.spec, "calibration", os.sched_getaffinity(0))
    bound_threads(order.spec)
    sam = model_from(order.model)
    if not isinstance(sam, Sam):
        raise RealRunError(f"calibrate: stages of {sam.name!r} cannot be measured yet; name a SAM")
    left_out = unserved(sam, _SERVED)
    chosen = scripts(sam, order.kinds, left_out)
    with tempfile.TemporaryDirectory(prefix="tessera-calibration-") as folder:
        path = Path(folder) / "weights.safetensors"
        weights.prepare(sam, order.weights, 0, path)
        executor = SamExecutor(sam, path, order.spec)
        done, runs = 0, len(chosen) * (WARM_UP + order.repetitions)

        def advance() -> None:
            nonlocal done
            done += 1
            _say(Report(done=done, of=runs))

        _say(Report(of=runs))
        rows = measured(
            sam, executor, chosen, order.kinds, order.repetitions,
            stopwatch_for(order.spec.device), advance,
        )  # fmt: skip
    _say(
        Report(
            done=done, of=done, device=_device(order), torch=torch.__version__, rows=rows,
            left_out=() if order.kinds else left_out,
        )
    )  # fmt: skip


_SERVED = (*stages.SIMPLE, *shared.STAGES, "sam.merge")


def _device(order: Order) -> str:
    return torch.cuda.get_device_name() if order.spec.device == "cuda" else processor()


def _say(report: Report) -> None:
    print(report.model_dump_json(by_alias=True), flush=True)


if __name__ == "__main__":
    main()
