"""Measurements in parts: what is done stays done, and another's folder is left alone."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.parts import FINDINGS, ORDERS, SITTINGS, Parts
from real_runner.errors import RealRunError
from tests.limits import no_file_above

TABLE = pd.DataFrame({"a": [1.5, 2.0], "b": ["x", "y"]})


def test_parts_are_there_for_whoever_comes_after(tmp_path):
    folder = tmp_path / "deep" / "results"
    with Parts(folder, {"seed": 1}) as parts:
        assert parts.get("a:b=c") is None
        parts.keep("a:b=c", TABLE)
        parts.keep("a:b=d", TABLE.head(1))
    with Parts(folder, {"seed": 1}) as again:
        pd.testing.assert_frame_equal(again.get("a:b=c"), TABLE)
        assert len(again.get("a:b=d")) == 1
    assert not list(folder.glob("*.part"))


def test_without_a_folder_they_are_in_memory():
    with Parts(None, {}) as parts:
        parts.keep("x", TABLE)
        assert parts.get("x") is TABLE
        assert parts.get("y") is None


def test_a_folder_of_other_orders_or_of_something_else_is_refused(tmp_path):
    Parts(tmp_path / "a", {"seed": 1, "scenes": 2}).close()
    with pytest.raises(RealRunError, match="with another scenes, seed"):
        Parts(tmp_path / "a", {"seed": 2, "scenes": 3})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("dear")
    with pytest.raises(RealRunError, match="holds something else"):
        Parts(tmp_path / "b", {"seed": 1})
    with pytest.raises(RealRunError, match="cannot be made"):
        Parts(tmp_path / "b" / "letter.txt", {"seed": 1})
    (tmp_path / "a" / "orders.json").write_text("{")
    with pytest.raises(RealRunError, match="is no file of ours"):
        Parts(tmp_path / "a", {})


def test_a_folder_is_one_process_s_at_a_time(tmp_path):
    with Parts(tmp_path / "a", {}), pytest.raises(RealRunError, match="another process is at work"):
        Parts(tmp_path / "a", {})
    Parts(tmp_path / "a", {}).close()


def test_what_a_killed_process_left_half_written_is_taken_over(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "orders.json.part").write_text("{")
    with Parts(folder, {"seed": 1}) as parts:
        parts.keep("x", TABLE)
        (path,) = folder.glob("x-*.parquet")
        path.write_bytes(b"nothing")
        with pytest.raises(RealRunError, match="cannot be read"):
            parts.get("x")
    assert not list(folder.glob("*.part"))


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path):
    large = pd.DataFrame({"a": np.random.default_rng(0).random(10_000)})
    with Parts(tmp_path / "a", {}) as parts:
        parts.keep("x", TABLE)
        with no_file_above(20_000), pytest.raises(RealRunError, match="cannot be written"):
            parts.keep("x", large)
        pd.testing.assert_frame_equal(parts.get("x"), TABLE)
    names = {path.name for path in (tmp_path / "a").iterdir() if path.suffix != ".parquet"}
    assert names == {ORDERS, SITTINGS}


def test_who_was_at_work_is_noted_once_for_each_that_differs(tmp_path):
    for command in ("tessera sweep x", "tessera sweep x", "tessera sweep x --workers 1"):
        Parts(tmp_path / "a", {}, command).close()
    sittings = json.loads((tmp_path / "a" / SITTINGS).read_text())
    assert [each["command"] for each in sittings] == [
        "tessera sweep x",
        "tessera sweep x --workers 1",
    ]
    assert sittings[0]["versions"]["numpy"] == np.__version__


def test_what_it_came_to_is_kept_beside_its_parts(tmp_path):
    with Parts(tmp_path / "a", {}) as parts:
        parts.conclude("sums", {"total": 3})
    found = json.loads((tmp_path / "a" / FINDINGS).read_text())
    assert found == {"kind": "sums", "found": {"total": 3}}
    with Parts(None, {}) as parts:
        parts.conclude("sums", {"total": 3})  # in memory there is nobody to read it
