"""Having a process of its own measure stages, and making a profile of what it found."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from real_runner.calibration.host import processor
from real_runner.calibration.order import Order, Report
from real_runner.errors import RealRunError
from sim.profiles import Profile

Progress = Callable[[int, int], None]
"""Is told how many runs of scripts are done, and of how many."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A profile, and the kinds of stage that it lacks since nothing computes them for real yet."""

    profile: Profile
    left_out: tuple[str, ...] = ()


def calibrate(
    order: Order, precision: str, source: str, progress: Progress = lambda *_: None
) -> Calibration:
    """Measure what ``order`` says, into a profile whose rows count bytes at ``precision``.

    Raises `RealRunError` with the reason where it cannot be measured.
    """
    found = _last_report(order, progress)
    profile = Profile(
        device=found.device,
        host=processor(),
        threads=order.spec.threads,
        dtype=order.spec.dtype,
        precision=precision,
        torch=found.torch,
        date=datetime.now(UTC).date().isoformat(),
        source=source,
        rows=found.rows,
    )
    return Calibration(profile, found.left_out)


def _last_report(order: Order, progress: Progress) -> Report:
    bounded = os.environ | dict.fromkeys(_THREADS, str(order.spec.threads))
    found = Report()
    with subprocess.Popen(
        [sys.executable, "-m", "real_runner.calibration"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=bounded,
    ) as process:  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        try:
            process.stdin.write(order.model_dump_json(by_alias=True))
            process.stdin.close()
            for line in process.stdout:
                found = Report.model_validate_json(line)
                progress(found.done, found.of)
            complaint = process.stderr.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode or not found.rows:
        lines = complaint.strip().splitlines() or [f"ended with status {process.returncode}"]
        raise RealRunError(f"calibrate: {lines[-1]}")
    return found
