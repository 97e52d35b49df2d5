"""What is to be done in a guest: told by the command to the keeper, and by it to the guest."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Orders:
    """A program with its arguments, to be run in ``folder`` with an ``environment``.

    ``kernel`` and ``modules`` are the guest's, ``library`` is loaded into that kernel first unless
    it is empty; ``memory_bytes`` is what the guest gets, out of the folder ``memory``.
    ``terminals`` are the columns and lines of what standard output and standard error are shown on,
    or nothing where one is no terminal. ``paths`` is where Python finds us.
    """

    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    kernel: str
    modules: str
    library: str
    memory_bytes: int
    memory: str
    terminals: tuple[tuple[int, int] | None, tuple[int, int] | None]
    paths: str

    def line(self) -> str:
        """Return them as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> Self:
        """Return what `line` has written."""
        found = json.loads(line)
        out, err = (None if each is None else (each[0], each[1]) for each in found["terminals"])
        return cls(**{**found, "command": tuple(found["command"]), "terminals": (out, err)})
