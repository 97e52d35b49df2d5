"""Profiles and the cost model made from them, against times that are known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.calibration import Calibrated, fit, fits
from sim.cost import Roofline
from sim.errors import ScenarioError
from sim.profiles import Measured, Profile, read_profile, write_profile
from tests.conftest import device
from topologies.documents import DocumentError
from workloads.catalogue import model_named
from workloads.stage import Stage

SAM = model_named("sam-small", precision="fp32")
SHARDS = [tuple(range(count)) for count in (1, 2, 3, 4, 6, 8, 12, 16)]
MEASURED = [
    SAM.windowed(blocks, shard)
    for shard in SHARDS
    for blocks in ((0,), (0, 2), (0, 2, 4), (0, 2, 4, 6))
]
UNSEEN = [SAM.windowed((2, 4), tuple(range(count))) for count in (5, 7, 11)] + [
    SAM.windowed((0,), tuple(range(5)), patch_embed=True)
]

Law = Callable[[Stage], float]


def law(stage: Stage) -> float:
    return 2e-11 * stage.flops + 1e-10 * stage.memory_bytes + 5e-6 * stage.launches + 1e-4


def profile(stages: list[Stage], seconds: Law = law, **changes: object) -> Profile:
    values = {
        "device": "cpu", "host": "host", "threads": 1, "dtype": "fp32", "precision": "fp32",
        "torch": "2", "date": "2026-11-21", "source": "a law",
        "rows": [Measured.of(stage, [seconds(stage)] * 3) for stage in stages],
    }  # fmt: skip
    return Profile.model_validate(values | changes)


GPU = device("gpu", 1e12)


def test_a_fit_recovers_the_law_behind_the_times() -> None:
    found = fits(profile(MEASURED))["sam.windowed"]
    assert found.worst_error < 1e-4
    for stage in UNSEEN:
        assert found.seconds(stage) == pytest.approx(law(stage), rel=0.01)


def test_a_fit_to_noisy_times_is_as_good_as_the_noise_allows_and_says_so() -> None:
    rng = np.random.default_rng(1)
    found = fits(profile(MEASURED, lambda stage: law(stage) * rng.lognormal(0, 0.05)))
    noisy = found["sam.windowed"]
    assert 0.01 < noisy.median_error < 0.08
    assert noisy.worst_error > noisy.median_error
    for stage in UNSEEN:
        assert noisy.seconds(stage) == pytest.approx(law(stage), rel=0.05)


def test_residuals_show_where_a_sum_of_work_does_not_explain_the_times() -> None:
    def bent(stage: Stage) -> float:
        return law(stage) * (3.0 if len(stage.shard) > 6 else 1.0)

    assert fits(profile(MEASURED, bent))["sam.windowed"].worst_error > 0.1


def test_no_coefficient_is_negative_even_where_larger_stages_are_quicker() -> None:
    found = fit("x", [Measured.of(Stage("x", f, 1.0), [1 / f]) for f in (1.0, 2.0, 4.0)])
    coefficients = (found.s_per_flop, found.s_per_byte, found.s_per_launch, found.constant_s)
    assert all(each >= 0 for each in coefficients)
    assert sum(coefficients) > 0


def test_a_single_measurement_scales_with_the_operations() -> None:
    one = fit("x", [Measured.of(Stage("x", 1e9, 1e6), [0.5])])
    assert one.seconds(Stage("x", 2e9, 1e6)) == pytest.approx(1.0)
    copying = fit("y", [Measured.of(Stage("y", 0.0, 1e6), [0.5])])
    assert copying.seconds(Stage("y", 0.0, 4e6)) == pytest.approx(2.0)


def test_a_measured_stage_costs_its_median_whatever_the_fit_says() -> None:
    times_s = {stage: law(stage) * (1.5 if stage is MEASURED[3] else 1.0) for stage in MEASURED}
    cost = Calibrated({"gpu": profile(MEASURED, times_s.__getitem__)})
    for stage in MEASURED:
        assert cost.seconds(stage, GPU) == pytest.approx(times_s[stage], abs=1e-9)
    assert cost.seconds(UNSEEN[0], GPU) == fits(cost.profiles["gpu"])["sam.windowed"].seconds(
        UNSEEN[0]
    )


def test_another_shard_of_the_same_work_costs_the_same() -> None:
    cost = Calibrated({"gpu": profile([SAM.windowed((0,), (0, 1))])})
    assert cost.seconds(SAM.windowed((4,), (9, 14)), GPU) == cost.seconds(
        SAM.windowed((0,), (0, 1)), GPU
    )


def test_a_device_without_a_profile_falls_back() -> None:
    cost = Calibrated({"other": profile(MEASURED)})
    stage = replace(MEASURED[0], precision="fp16")
    assert cost.seconds(stage, GPU) == Roofline().seconds(stage, GPU)


def test_a_kind_that_was_not_measured_is_named_with_file_and_command() -> None:
    cost = Calibrated({"gpu": profile(MEASURED)}, places={"gpu": "gpu.yaml"})
    with pytest.raises(
        ScenarioError,
        match=r"'gpu': gpu\.yaml has no .*'sam\.neck'; .*tessera calibrate .*--stages sam\.neck",
    ):
        cost.seconds(SAM.neck(), GPU)


def test_a_stage_at_another_precision_is_refused() -> None:
    cost = Calibrated({"gpu": profile(MEASURED)}, places={"gpu": "gpu.yaml"})
    with pytest.raises(ScenarioError, match=r"measured at fp32, but 'sam.windowed' is at fp16"):
        cost.seconds(replace(MEASURED[0], precision="fp16"), GPU)


def test_cost_models_are_values() -> None:
    first, second = (Calibrated({"gpu": profile(MEASURED)}) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Calibrated({"gpu": profile(MEASURED[1:])})


def test_quartiles_are_those_of_the_timings() -> None:
    row = Measured.of(MEASURED[0], [0.004, 0.001, 0.002, 0.003, 0.005])
    assert (row.q1_s, row.median_s, row.q3_s, row.repetitions) == (0.002, 0.003, 0.004, 5)


@pytest.mark.parametrize("name", ["cpu.yaml", "cpu.json"])
def test_a_profile_survives_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_profile(profile(MEASURED), path)
    assert read_profile(path) == profile(MEASURED)


GOOD = """\
device: cpu
host: host
threads: 1
dtype: fp32
precision: fp32
torch: "2"
date: 2026-11-21
source: by hand
rows:
- {kind: sam.neck, flops: 10, memory: 4kB, launches: 1,
   median: 2ms, q1: 1ms, q3: 3ms, repetitions: 5}
"""


def test_a_profile_written_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (row,) = read_profile(path).rows
    assert (row.median_s, row.memory_bytes, row.blocks) == (0.002, 4000.0, ())


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("median: 2ms", "median: 2", r"rows\.0\.median: 2 has no unit"),
        ("median: 2ms", "median: 5ms", r"rows\.0: sam\.neck: give q1, median and q3 in ascending"),
        ("median: 2ms", "median: 0ms", r"rows\.0\.median: got '0ms'"),
        ("threads: 1", "threads: 0", r"threads: got 0"),
        ("host: host", "hots: host", r"hots: unknown key; did you mean 'host'"),
        ("flops: 10", "flops: -1", r"rows\.0\.flops: got -1"),
        ("date: 2026-11-21", "date: yesterday", r"date: got 'yesterday'"),
        ("repetitions: 5", "repetitions: 0", r"rows\.0\.repetitions: got 0"),
        (GOOD[GOOD.index("rows:") :], "rows: []", r"rows: got \[\]"),
        (GOOD, "just words", r"p\.yaml: got 'just words'"),
        (GOOD, "a: [", r"p\.yaml: line"),
    ],
)
def test_a_malformed_profile_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = tmp_path / "p.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(DocumentError, match=complaint) as caught:
        read_profile(path)
    assert "p.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stage_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD + GOOD[GOOD.index("- {") :], encoding="utf-8")
    with pytest.raises(DocumentError, match=r"rows\.1: sam\.neck of this size is given twice"):
        read_profile(path)
