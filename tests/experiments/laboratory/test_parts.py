"""Measurements in parts: what is done stays done, and another's folder is left alone."""

import pandas as pd
import pytest

from experiments.laboratory.parts import Parts
from real_runner.errors import RealRunError

TABLE = pd.DataFrame({"a": [1.5, 2.0], "b": ["x", "y"]})


def test_parts_are_there_for_whoever_comes_after(tmp_path):
    folder = tmp_path / "deep" / "results"
    parts = Parts(folder, {"seed": 1})
    assert parts.get("a:b=c") is None
    parts.keep("a:b=c", TABLE)
    parts.keep("a:b=d", TABLE.head(1))
    again = Parts(folder, {"seed": 1})
    pd.testing.assert_frame_equal(again.get("a:b=c"), TABLE)
    assert len(again.get("a:b=d")) == 1


def test_without_a_folder_they_are_in_memory():
    parts = Parts(None, {})
    parts.keep("x", TABLE)
    assert parts.get("x") is TABLE
    assert parts.get("y") is None


def test_a_folder_of_other_orders_or_of_something_else_is_refused(tmp_path):
    Parts(tmp_path / "a", {"seed": 1, "scenes": 2})
    with pytest.raises(RealRunError, match="with another scenes, seed"):
        Parts(tmp_path / "a", {"seed": 2, "scenes": 3})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("dear")
    with pytest.raises(RealRunError, match="holds something else"):
        Parts(tmp_path / "b", {"seed": 1})
    with pytest.raises(RealRunError, match="cannot be used"):
        Parts(tmp_path / "b" / "letter.txt", {"seed": 1})
    (tmp_path / "a" / "orders.json").write_text("{")
    with pytest.raises(RealRunError, match="is no file of ours"):
        Parts(tmp_path / "a", {})
