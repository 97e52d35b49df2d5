"""Folders of the laboratory and of searches read back: what they came to, once they are done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from experiments.parts import FINDINGS, ORDERS, SITTINGS
from experiments.reports.kept import read_json
from experiments.scenarios.document import ScenarioDocument
from sim.errors import ScenarioError
from topologies.documents import parse

Found = Mapping[str, Any]
KINDS: Final = ("tradeoff", "accuracy", "privacy", "texts", "search")


@dataclass(frozen=True)
class Measured:
    """A folder that ``tessera tradeoff``, ``accuracy``, ``privacy`` or ``search`` has concluded.

    Raises `ScenarioError`, which names the file, where one cannot be read or is none of ours.
    """

    folder: Path

    @cached_property
    def orders(self) -> Found:
        """What was to be measured."""
        found: Found = read_json(self.folder / ORDERS)
        return found

    @cached_property
    def document(self) -> ScenarioDocument:
        """The scenario whose model or policies were measured."""
        return parse(ScenarioDocument, self.orders["scenario"], str(self.folder / ORDERS))

    @cached_property
    def sittings(self) -> Sequence[Found]:
        """Which programs were at work, the last one last; see `experiments.program`."""
        found: Sequence[Found] = read_json(self.folder / SITTINGS)
        return found

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        kind = str(self._findings["kind"])
        if kind not in KINDS:
            raise ScenarioError(f"{self.folder / FINDINGS}: there is no report of {kind!r}")
        return kind

    @property
    def found(self) -> Found:
        """What the command printed with ``--json``."""
        found: Found = self._findings["found"]
        return found

    def picture(self, name: str) -> bytes | None:
        """Return a picture that lies in the folder, if it does."""
        path = self.folder / name
        try:
            return path.read_bytes() if path.exists() else None
        except OSError as error:
            raise ScenarioError(f"{path}: {error.strerror}; draw it again") from error

    @cached_property
    def _findings(self) -> Found:
        path = self.folder / FINDINGS
        if not path.exists():
            raise ScenarioError(
                f"{self.folder}: is not done yet; give the command that wrote it once more, which "
                "goes on from there"
            )
        found: Found = read_json(path)
        if not isinstance(found, dict) or not {"kind", "found"} <= found.keys():
            raise ScenarioError(f"{path}: is not what tessera wrote; give the command once more")
        return found
