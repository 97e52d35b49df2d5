"""What an install without extras lacks, and how a user who meets the lack gets it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from real_runner.errors import RealRunError

_OURS: Final = frozenset({"experiments", "real_runner", "sim", "topologies", "workloads"})

# Packages whose distribution has another name than what is imported.
_DISTRIBUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "google": "protobuf",
        "grpc": "grpcio",
        "grpc_health": "grpcio-health-checking",
        "grpc_tools": "grpcio-tools",
        "PIL": "pillow",
        "dp_accounting": "dp-accounting",
        "segment_anything": "segment-anything",
    }
)


@contextmanager
def needs(extra: str, *packages: str) -> Iterator[None]:
    """Have a block that imports what ``extra`` brings; ``packages`` a process it starts imports.

    Raises `RealRunError`, which names the distribution that is not installed and the remedy. A
    module of our own that is missing is no matter of installing: that error passes.
    """
    for package in packages:
        if find_spec(package) is None:
            raise _lacking(package, extra)
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in _OURS:
            raise
        raise _lacking(package, extra) from error


def _lacking(package: str, extra: str) -> RealRunError:
    name = _DISTRIBUTIONS.get(package, package)
    return RealRunError(f"package {name!r} is not installed; pip install 'tessera[{extra}]'")
