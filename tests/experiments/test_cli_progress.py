"""The progress bar: on a terminal it tells how far it is and what is being done, else nothing."""

import pytest

from experiments.cli.options import progress_bar


def test_on_a_terminal_it_tells_how_far_it_is_and_what_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with progress_bar("recording", 3) as told:
        told()
        told.doing("attacking a by A5")
        told()
    said = capsys.readouterr()
    assert "attacking a by A5" in said.err
    assert "2/3" in said.err
    assert said.out == ""


def test_elsewhere_it_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    with progress_bar("recording", 3) as told:
        told()
        told.doing("attacking a by A5")
    assert capsys.readouterr() == ("", "")
