"""Folders of the laboratory and of searches read back: what they came to, once they are done."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from experiments.parts import FINDINGS, ORDERS, SITTINGS
from experiments.reports.kept import read_json
from experiments.scenarios.document import ScenarioDocument
from sim.errors import ScenarioError
from topologies.documents import parse

Found = Mapping[str, Any]
KINDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "tradeoff": frozenset({"title", "limits", "rows", "refused"}),
        "accuracy": frozenset({"title", "policies"}),
        "privacy": frozenset({"title", "candidates", "attacked", "policies", "refused"}),
        "texts": frozenset({"title", "drawn", "recovered"}),
        "search": frozenset({"goal", "greatest", "limits", "axes", "best", "unseen", "trials"}),
    }
)
"""Of each kind of measurement, what its findings have."""


@dataclass(frozen=True)
class Measured:
    """A folder that ``tessera tradeoff``, ``accuracy``, ``privacy`` or ``search`` has concluded.

    Raises `ScenarioError`, which names the file, where one cannot be read or is none of ours.
    """

    folder: Path

    @cached_property
    def orders(self) -> Found:
        """What was to be measured."""
        return self._read(ORDERS, {"scenario"})

    @cached_property
    def document(self) -> ScenarioDocument:
        """The scenario whose model or policies were measured."""
        return parse(ScenarioDocument, self.orders["scenario"], str(self.folder / ORDERS))

    @cached_property
    def sittings(self) -> Sequence[Found]:
        """Which programs were at work, the last one last; see `experiments.program`."""
        found: Sequence[Found] = read_json(self.folder / SITTINGS)
        if not isinstance(found, list) or not found or not all(map(_is_sitting, found)):
            raise self._complaint(SITTINGS)
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
        if not isinstance(found, dict) or not KINDS[self.kind] <= found.keys():
            raise self._complaint(FINDINGS)
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
        return self._read(FINDINGS, {"kind", "found"})

    def _read(self, name: str, keys: AbstractSet[str]) -> Found:
        """Return what a file holds; `ScenarioError` where it has not all of these keys."""
        found: Found = read_json(self.folder / name)
        if not isinstance(found, dict) or not keys <= found.keys():
            raise self._complaint(name)
        return found

    def _complaint(self, name: str) -> ScenarioError:
        path = self.folder / name
        return ScenarioError(f"{path}: is not what tessera wrote; give the command once more")


def _is_sitting(found: object) -> bool:
    return isinstance(found, dict) and {"command", "created", "git_revision"} <= found.keys()
