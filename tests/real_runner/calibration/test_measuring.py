"""Timing stages: with an executor whose times are known, and for real in a process of its own."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from real_runner.calibration.measuring import WARM_UP, measured
from real_runner.calibration.order import Order
from real_runner.calibration.process import calibrate
from real_runner.calibration.scripts import key_of, scripts, stages_in
from real_runner.calibration.stopwatch import on_gpu_s, on_processor_s
from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError
from real_runner.executor import Array, expected_shape, is_bytes
from real_runner.models import model_text
from sim.calibration import Calibrated
from sim.cost import Roofline
from tests.conftest import device
from workloads.catalogue import model_named
from workloads.images import Image
from workloads.stage import Payload, Stage

SMALL = model_named("sam-small", precision="fp32", image=Image(96, 64))


class Known:
    """An executor that notes what it is asked, on a clock that only its work moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.jobs: set[int] = set()
        self.runs: list[Stage] = []

    def put(self, job: int, payload: Payload, array: Array) -> None:
        self.jobs.add(job)
        if payload.tensor not in {"image", "prompt"}:
            assert array.shape == expected_shape(payload)

    def get(self, job: int, payload: Payload) -> Array:
        assert job in self.jobs
        return np.zeros(expected_shape(payload), np.uint8 if is_bytes(payload) else np.float32)

    def run(self, job: int, stages: tuple[Stage, ...]) -> None:
        assert job in self.jobs
        (stage,) = stages
        self.runs.append(stage)
        self.now_s += 1e-12 * stage.flops + 1e-4

    def forget(self, job: int) -> None:
        self.jobs.discard(job)

    def timed_s(self, work: Callable[[], None]) -> float:
        start_s = self.now_s
        work()
        return self.now_s - start_s


def test_each_distinct_stage_gets_a_row_with_its_own_time() -> None:
    known = Known()
    chosen = scripts(SMALL)
    advanced: list[int] = []
    rows = measured(SMALL, known, chosen, (), 3, known.timed_s, lambda: advanced.append(1))
    assert {row.key for row in rows} == {key_of(s) for script in chosen for s in stages_in(script)}
    for row in rows:
        assert row.median_s == pytest.approx(1e-12 * row.flops + 1e-4, abs=1e-9)
        assert row.repetitions >= 3
    assert len(advanced) == len(chosen) * (3 + WARM_UP)


def test_blocks_that_are_alike_are_timings_of_one_stage() -> None:
    known = Known()
    rows = measured(SMALL, known, scripts(SMALL, ["sam.global"]), ["sam.global"], 2, known.timed_s)
    assert [(row.kind, row.repetitions) for row in rows] == [("sam.global", 8)]


def test_what_a_request_left_is_forgotten() -> None:
    known = Known()
    measured(SMALL, known, scripts(SMALL, ["sam.partition"]), ["sam.partition"], 1, known.timed_s)
    assert len(known.jobs) == 1


def test_the_wall_is_what_times_a_processor() -> None:
    assert on_processor_s(lambda: time.sleep(0.02)) >= 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_events_on_the_gpu_time_what_was_launched() -> None:
    matrix = torch.ones(4096, 4096, device="cuda")
    on_gpu_s(lambda: matrix @ matrix)
    short_s, long_s = (on_gpu_s(lambda n=n: _multiply(matrix, n)) for n in (2, 40))
    assert 5 * short_s < long_s < 1.0


def _multiply(matrix: torch.Tensor, times: int) -> None:
    for _ in range(times):
        matrix @ matrix


def test_a_process_of_its_own_measures_for_real() -> None:
    kinds = ("sam.neck", "sam.windowed")
    order = Order(model=model_text(SMALL), spec=NodeSpec(), kinds=kinds, repetitions=2)
    told: list[tuple[int, int]] = []
    found = calibrate(order, "fp32", "a test", lambda done, of: told.append((done, of)))
    profile = found.profile
    assert found.left_out == ()
    assert set(profile.kinds) == set(kinds)
    assert (profile.threads, profile.dtype, profile.precision) == (1, "fp32", "fp32")
    assert profile.torch
    assert profile.device
    assert told[-1][0] == told[-1][1] > 0
    gpu = device("gpu", 1e12)
    cost = Calibrated({"gpu": profile}, Roofline())
    one, all_of_them = (SMALL.windowed((0, 2, 4, 6), shard) for shard in ((0,), SMALL.whole))
    assert 0 < cost.seconds(one, gpu) < cost.seconds(all_of_them, gpu) < 10


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weights": Path("nowhere.pth")}, "nowhere.pth: no such file"),
        ({"kinds": ("sam.nck",)}, "sam-small has no 'sam.nck'"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(
    changes: dict[str, object], complaint: str
) -> None:
    order = Order(model=model_text(SMALL), spec=NodeSpec()).model_copy(update=changes)
    with pytest.raises(RealRunError, match=complaint) as caught:
        calibrate(order, "fp32", "a test")
    assert "\n" not in str(caught.value)
