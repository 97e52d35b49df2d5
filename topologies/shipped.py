"""The topologies that come with the package, by name."""

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from topologies.errors import TopologyError, suggestion
from topologies.files import read_topology
from topologies.topology import Topology

_SUFFIX = ".yaml"


@cache
def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped topologies, sorted."""
    names = (entry.name for entry in files("topologies").joinpath("shipped").iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load(name_or_path: str | Path) -> Topology:
    """Return the shipped topology of this name, or the one in the file at this path.

    A `Path`, and text that has a suffix or a folder in it, is a path.

    Raises TopologyError: no such name (names the nearest), or a file without a valid topology.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or path.suffix or len(path.parts) > 1:
        return read_topology(path)
    if name_or_path not in shipped_names():
        remedy = suggestion(name_or_path, shipped_names())
        raise TopologyError(f"{name_or_path!r} is no shipped topology and no file's path; {remedy}")
    return _shipped(name_or_path)


@cache
def _shipped(name: str) -> Topology:
    """Return one that cannot change while the program runs."""
    with as_file(files("topologies").joinpath("shipped", name + _SUFFIX)) as file:
        return read_topology(file)
