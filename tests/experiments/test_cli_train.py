"""``tessera train`` as a user types it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.cli.main import status_of
from tests.computing import one_thread


def test_what_is_no_variant_is_told_in_one_line(tmp_path, capsys):
    assert status_of(["train", "--variant", "huge", "--out", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tessera: --variant 'huge': is unknown; choose one of vit-b")
    assert said.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_number_that_is_none_is_told_in_one_line(tmp_path, capsys):
    assert status_of(["train", "--rate", "inf", "--out", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tessera: --rate inf: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_shards_that_see_everything_of_their_own_are_told_no_means(tmp_path, capsys):
    orders = ["train", "--order", "landmark", "--withhold", "1", "--out", str(tmp_path / "x")]
    assert status_of(orders) == 2
    said = capsys.readouterr().err
    assert said.startswith("tessera: --withhold: has no meaning for order 'landmark'")
    orders = ["train", "--order", "deferred", "--trend", "1", "--out", str(tmp_path / "x")]
    assert status_of(orders) == 2
    also = capsys.readouterr().err
    assert "trend: goes with means that are withheld" in also
    assert said.count("\n") == also.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.long
def test_a_course_ends_with_weights_and_what_made_them(tmp_path, capsys, monkeypatch):
    from experiments.laboratory.training import sitting

    monkeypatch.setattr(sitting, "TESTED", 3)
    folder = tmp_path / "small"
    command = ["train", "--out", str(folder), "--steps", "2", "--batch", "1", "--every", "1"]
    command += ["--examined", "2"]
    with one_thread():
        assert status_of([*command, "--device", "cpu", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert "step 1: loss" in said
    assert "On 3 scenes that it has never seen" in said
    report = json.loads((folder / "training.json").read_text())
    assert report["orders"]["steps"] == 2
    assert 0 <= report["test"]["miou_box"] <= 1
    assert (folder / "model.safetensors").stat().st_size < 20e6
    with one_thread():
        assert status_of([*command, "--seed", "7"]) == 2
    assert "is a course with other orders" in capsys.readouterr().err


@contextmanager
def endless(folder):
    """Begin to train for longer than any test lasts; give the process, which is gone afterwards."""
    program = str(Path(sys.executable).parent / "tessera")
    command = [program, "train", "--out", str(folder / "small")]
    command += ["--steps", "1000", "--batch", "1", "--every", "1", "--device", "cpu"]
    command += ["--examined", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline().startswith("step 1: loss")
            yield process
        finally:
            process.kill()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_reads_one_line_and_leaves_nothing_behind(tmp_path, number):
    """As a terminal does it: the signal reaches every process of the group."""
    with endless(tmp_path) as process:
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == (
        "tessera: interrupted; the same command goes on from the last examination that it told of\n"
    )
    psutil.wait_procs(below, timeout=10)
    assert not [each for each in below if each.is_running()]
    assert not list(tmp_path.glob("*/*.part"))


@pytest.mark.long
def test_a_course_that_is_killed_takes_its_other_process_with_it(tmp_path):
    """So the folder is free again at once."""
    with endless(tmp_path) as process:
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        process.kill()
    psutil.wait_procs(below, timeout=10)
    assert not [each for each in below if each.is_running()]
