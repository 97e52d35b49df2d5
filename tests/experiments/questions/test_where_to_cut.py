"""What is kept at the edge costs time, what is written in fewer bits travels as fewer bytes."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import where_to_cut
from experiments.questions.script import status_of
from experiments.scenarios.loader import load
from tests.complaints import one_line

from .conftest import Pictured


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where_to_cut, "CODECS", ("fp16", "int8"))
    short = "workload.text={prompt_tokens: 8, output_tokens: 6}"
    monkeypatch.setattr(where_to_cut, "ALONE", (*where_to_cut.ALONE, short))


def test_clouds_hold_what_was_cut_for_them_in_as_many_bytes_as_it_takes() -> None:
    rows = where_to_cut.measured("small-llama")
    layers = load("small-llama").workload.model.architecture.layers  # type: ignore[attr-defined]
    assert list(rows["held_from"]) == list(rows["before"])
    assert list(rows["held_to"]) == list(layers - rows["after"])
    fp16, int8 = (rows[rows["codec"] == codec] for codec in ("fp16", "int8"))
    for column in ("up_kB_per_token", "down_kB_per_token"):
        assert (int8[column].to_numpy() < fp16[column].to_numpy()).all()
        assert fp16[column].nunique() == 1  # hidden states are as large at every depth


def test_a_cut_that_is_drawn_is_a_picture(figure: Path, pictured: Pictured) -> None:
    where_to_cut.main("small-llama", figure)
    pictured(1200, 460)


def test_a_model_that_writes_nothing_is_refused(
    scenario: str, figure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(where_to_cut.main, [scenario, str(figure)]) == 2
    one_line(capsys.readouterr().err, "sam-vit-b")
    assert not figure.exists()
