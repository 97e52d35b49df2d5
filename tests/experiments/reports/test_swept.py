"""Sweeps read back: policies as they were asked for, and the axes along which cells differ."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.reports.sections import cells, swept_verdict
from experiments.reports.swept import Swept, families
from sim.errors import ScenarioError

FAMILY = "sharded/deferred:clouds={clouds},codec={codec}"


def test_a_policy_is_known_by_the_axes_that_it_names(swept: Path) -> None:
    found = Swept(swept)
    assert found.axes == {
        "clouds": ("2", "4", "17"),
        "codec": ("fp16", "int8"),
        "workload.arrivals.rate_per_s": ("0.5", "4"),
        "policy": (FAMILY, "local"),
    }
    assert found.wanted == len(found.cells) == 14


@pytest.mark.parametrize(
    ("policies", "axis", "expected"),
    [
        (["p:n=1", "p:n=2"], ["1", "2"], ["p:n={size}"] * 2),
        (["p:n=1", "p:n=2"], ["1", "3"], ["p:n=1", "p:n=2"]),
        (["p:n=1,m=5", "p:n=2,m=5"], ["1", "2"], ["p:n={size},m=5"] * 2),
        (["p:n=1", "q"], ["1", ""], ["p:n=1", "q"]),
        (["my.py:Mine:n=1", "my.py:Mine:n=2"], ["1", "2"], ["my.py:Mine:n={size}"] * 2),
    ],
)
def test_a_parameter_is_an_axis_where_it_follows_it(
    policies: list[str], axis: list[str], expected: list[str]
) -> None:
    table = pd.DataFrame({"policy": policies, "size": axis})
    assert families(table, ["size"]) == expected


def test_the_page_draws_from_each_cell_its_place_state_and_figures(swept: Path) -> None:
    found = Swept(swept)
    content = cells.content(found)
    axes = {axis["name"]: axis for axis in content["axes"]}  # type: ignore[attr-defined, index]
    assert content["states"].count(2) == 4  # type: ignore[attr-defined]
    assert set(axes["clouds"]["places"]) == {0, 1, 2, -1}
    p99 = next(each for each in content["measures"] if each["unit"] == "ms")  # type: ignore[attr-defined]
    for told, row in zip(p99["values"], found.cells["p99_s"] * 1e3, strict=True):
        assert (told is None) == pd.isna(row)
        assert told is None or told == pytest.approx(row, rel=1e-4)


def test_the_verdict_counts_cells_as_they_were_judged(swept: Path) -> None:
    judged = Swept(swept).cells["verdict"].value_counts()
    told = {answer.mark.text: answer.subject for answer in swept_verdict.answers(Swept(swept))}
    assert told["failed"] == "4 cells"
    words = {"holds": "holds", "missed": "does not hold", "undecided": "too few samples"}
    for word, count in judged.items():
        assert told[words[str(word)]] == f"in {count} cells"


def test_an_interrupted_sweep_says_what_is_missing(swept: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(swept, copy)
    next(copy.glob("cell-000003-*")).unlink()
    found = cells.section(Swept(copy))
    assert found is not None
    assert found.prose == ("1 of 14 cells are not simulated yet: go on by --resume.",)


def test_a_sweep_without_a_cell_says_so(swept: Path, tmp_path: Path) -> None:
    shutil.copy(swept / "orders.json", tmp_path)
    with pytest.raises(ScenarioError, match="go on with the sweep by --resume"):
        _ = Swept(tmp_path).cells
