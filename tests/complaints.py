"""What the program's complaints have in common: one line that names the place and the remedy."""

from typing import Protocol


class Ended(Protocol):
    """What is left of a run of the program."""

    @property
    def status(self) -> int: ...
    @property
    def out(self) -> str: ...
    @property
    def err(self) -> str: ...


def one_line(text: str, *parts: str) -> None:
    """Prove that a complaint is one line that names all of ``parts``."""
    assert text.startswith("tessera: "), text
    assert text.endswith("\n"), text
    assert text.count("\n") == 1, text
    for part in parts:
        assert part in text


def refused(ran: Ended, *parts: str) -> None:
    """Prove that the program refused its input in one line that names all of ``parts``."""
    assert ran.status == 2, ran
    assert ran.out == "", ran
    one_line(ran.err, *parts)
