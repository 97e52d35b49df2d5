"""``tessera calibrate``, run as a user runs it, on the smallest model."""

from pathlib import Path

import pytest

from sim.profiles import read_profile
from tests.complaints import refused
from tests.experiments.conftest import Program, ScenarioFile

QUICK = ("--model", "sam-small", "--repetitions", "2", "--image", "96x64")


def test_a_profile_is_written_extended_and_simulated_with(
    tessera: Program, tmp_path: Path, scenario_file: ScenarioFile
) -> None:
    path = tmp_path / "here.yaml"
    ran = tessera("calibrate", *QUICK, "--out", str(path), "--stages", "neck", "--stages", "split")
    assert (ran.status, ran.err) == (0, "")
    assert "sam.neck" in ran.out
    assert set(read_profile(path).kinds) == {"sam.neck", "sam.split"}
    ran = tessera("calibrate", *QUICK, "--out", str(path), "--stages", "sam.decode")
    assert ran.status == 0
    assert set(read_profile(path).kinds) == {"sam.neck", "sam.split", "sam.decode"}
    ran = tessera(
        "simulate",
        str(scenario_file("deadline", "cost: {jetson-orin-nano-8gb: here.yaml}\ndeadline")),
        *("--set", "workload.model=sam-small", "--set", "workload.precision=fp32"),
    )
    assert ran.status == 2
    assert "here.yaml has no measurement of 'sam.prepare'" in ran.err
    assert "tessera calibrate" in ran.err


def test_without_stages_all_are_measured_and_a_scenario_runs_on_it(
    tessera: Program, tmp_path: Path, scenario_file: ScenarioFile
) -> None:
    path = tmp_path / "here.yaml"
    ran = tessera("calibrate", "--model", "sam-small", "--repetitions", "1", "--out", str(path))
    assert (ran.status, ran.err) == (0, "")
    assert "Left out" not in ran.out
    assert {"sam.landmark", "sam.exchange"} <= set(read_profile(path).kinds)
    edge = f"cost={{jetson-orin-nano-8gb: {path}}}"
    small = ("workload.model=sam-small", "workload.precision=fp32", edge)
    ran = tessera("simulate", str(scenario_file()), *(w for s in small for w in ("--set", s)))
    assert (ran.status, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--model", "sam-smal"), "did you mean 'sam-small'"),
        (("--model", "sam-small", "--image", "wide"), "write it as WIDTHxHEIGHT"),
        (("--model", "sam-small", "--stages", "nck"), "sam-small has no 'sam.nck'"),
        (("--model", "sam-small", "--dtype", "fp12"), "fp12"),
        (("--model", "sam-small", "--weights", "nowhere.pth"), "nowhere.pth: no such file"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    tessera: Program, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    path = tmp_path / "here.yaml"
    ran = tessera("calibrate", *options, "--out", str(path))
    refused(ran, complaint)
    assert not path.exists()


def test_what_was_measured_otherwise_is_not_mixed_in(tessera: Program, tmp_path: Path) -> None:
    path = tmp_path / "here.yaml"
    chosen = ("calibrate", *QUICK, "--out", str(path), "--stages", "split")
    assert tessera(*chosen).status == 0
    before = path.read_bytes()
    ran = tessera(*chosen, "--threads", "2")
    assert ran.status == 2
    assert "was measured with threads 1, this with 2" in ran.err
    assert path.read_bytes() == before
