"""A script that is asked wrongly says so in one line, before it does any work."""

from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import (
    how_fast_a_link,
    how_many_clouds,
    policies,
    schedulers,
    what_a_coalition_sees,
    what_a_request_costs,
    what_faults_cost,
    where_the_deadline_holds,
    where_to_cut,
    who_copes_with_stragglers,
)
from experiments.questions.picture import drawn
from experiments.questions.script import status_of
from tests.complaints import one_line

QUESTIONS = [
    how_fast_a_link, how_many_clouds, policies, schedulers, what_a_coalition_sees,
    what_a_request_costs, what_faults_cost, where_the_deadline_holds, where_to_cut,
    who_copes_with_stragglers,
]  # fmt: skip
NAMES = [question.__name__.rpartition(".")[2] for question in QUESTIONS]


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES)
def test_an_unknown_scenario_is_one_line(
    question: ModuleType, figure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(question.main, ["jetson-16-cluods", str(figure)]) == 2
    one_line(capsys.readouterr().err, "jetson-16-cluods", "jetson-16-clouds")
    assert not figure.exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["jetson-16-clouds", "figure.docx"], ("FIGURE", "figure.docx", ".png")),
        (["jetson-16-clouds", "nowhere/figure.png"], ("FIGURE", "nowhere/figure.png", "folder")),
        (["jetson-16-clouds", "figure.png", "0"], ("REPLICATIONS",)),
        (["jetson-16-clouds", "figure.png", "many"], ("REPLICATIONS", "many")),
    ],
)
def test_arguments_are_looked_at_first(
    arguments: list[str],
    parts: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(schedulers.main, arguments) == 2
    ended = capsys.readouterr()
    one_line(ended.err, *parts)
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_not_finished_is_not_there(figure: Path) -> None:
    figure.write_bytes(b"of yesterday")
    with pytest.raises(ZeroDivisionError), drawn(figure, 2, 2):
        1 / 0  # noqa: B018 - what an answer may raise
    assert figure.read_bytes() == b"of yesterday"
    assert [path.name for path in figure.parent.iterdir()] == [figure.name]
