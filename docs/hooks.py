"""What mkdocs is to make of the program itself: pages of reference, and the README as a page.

Nothing of it is committed, so that nothing of it can be out of date.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from reference import commands, devices, policies, results, scenarios, topologies

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs"
"""Where the pictures of the README lie."""

_IN_HERE: Final = re.compile(r"\]\(docs/(?:pages/)?")
"""How the README's links to pictures and pages begin, which lie beside it here."""

PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "reference/commands.md": commands.page,
        "reference/policies.md": policies.page,
        "reference/devices.md": devices.page,
        "reference/scenario.md": scenarios.page,
        "reference/topology.md": topologies.page,
        "reference/results.md": results.page,
        "readme.md": lambda: _IN_HERE.sub("](", _read("README.md")),
        "changelog.md": lambda: _read("CHANGELOG.md"),
    }
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here, and the README's pictures."""
    for name, page in PAGES.items():
        files.append(File.generated(config, name, content=page()))
    for picture in PICTURES.glob("*.png"):
        files.append(File.generated(config, picture.name, abs_src_path=str(picture)))
    return files


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
