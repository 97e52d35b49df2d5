"""The progress bar: on a terminal it tells how far it is and what is being done, else nothing."""

import pytest

from experiments.cli.options import progress_bar


@pytest.mark.parametrize("terminal", [True, False])
def test_on_a_terminal_it_tells_how_far_it_is_and_what_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(terminal)))
    with progress_bar("recording", 3) as told:
        told()
        told.doing("A5 on a: [b]" + " and so on" * 20)
        told()
    said = capsys.readouterr()
    assert said.out == ""
    assert ("A5 on a: [b] and so on" in said.err) is terminal
    assert ("2/3" in said.err) is terminal
