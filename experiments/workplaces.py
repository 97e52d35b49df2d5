"""Where a scenario is run for real: which links, whose workers.

The real runner is imported when it is asked for, so that simulating needs neither gRPC nor torch.
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from real_runner.deployment import Deployment
from real_runner.errors import RealRunError
from topologies.documents import Strict, parse, read_document

if TYPE_CHECKING:
    from real_runner.runner import RealRunner


class Links(Enum):
    """What connects the nodes."""

    LOOPBACK = "loopback"
    USERSPACE = "userspace"
    EXTERNAL = "external"

    @property
    def caveat(self) -> str:
        """What a reader of the figures must know."""
        return _CAVEATS[self]


_CAVEATS = {
    Links.LOOPBACK: "unshaped: rates and delays are this machine's, not the topology's",
    Links.USERSPACE: "shaped as the topology says, and measured before and after the run",
    Links.EXTERNAL: "whose rates and delays are those of the real network",
}


class Inventory(Strict):
    """Where external workers listen: ``workers`` maps each node to its ``host:port``."""

    workers: dict[str, str]


def read_inventory(path: Path) -> Mapping[str, str]:
    """Return where workers listen; `topologies.documents.DocumentError` for a bad file."""
    return parse(Inventory, read_document(path), path.name).workers


def open_runner(
    links: Links,
    deployment: Deployment,
    *,
    inventory: Path | None = None,
    credentials: Path | None = None,
    secure: bool = True,
) -> "RealRunner":
    """Return the real runner for these links; `RealRunError` where something is missing."""
    try:
        from real_runner.fleet.yards import ExternalYard  # noqa: PLC0415 - see above
        from real_runner.runner import RealRunner  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise RealRunError(
            f"package {error.name!r} is not installed; pip install 'tessera[real]'"
        ) from error
    if links is not Links.EXTERNAL:
        _refuse_given(links, inventory=inventory, credentials=credentials)
        kind: Literal["loopback", "userspace"]
        kind = "loopback" if links is Links.LOOPBACK else "userspace"
        return RealRunner(deployment, links=kind, secure=secure)
    if inventory is None:
        raise RealRunError("--links external: name the workers' addresses with --inventory FILE")
    if secure and credentials is None:
        raise RealRunError(
            "--links external: name what 'tessera credentials' made with --credentials DIR, or "
            "give --insecure"
        )
    yard = ExternalYard.of(read_inventory(inventory), credentials if secure else None)
    return RealRunner(deployment, external=yard, secure=secure)


def _refuse_given(links: Links, **options: Path | None) -> None:
    for name, value in options.items():
        if value is not None:
            raise RealRunError(f"--{name} {value}: has no meaning with --links {links.value}")
