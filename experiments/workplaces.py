"""Where a scenario is run for real: which links, whose workers.

The real runner is imported when it is asked for, so that simulating needs neither gRPC nor torch.
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from experiments.extras import needs
from real_runner.deployment import Deployment
from real_runner.errors import RealRunError
from topologies.documents import Strict, parse, read_document
from topologies.topology import Topology

if TYPE_CHECKING:
    from real_runner.links.backend import Backend
    from real_runner.orchestration.answers import Answered, Computed, Previewed, Written
    from real_runner.orchestration.prompts import Asking
    from real_runner.runner import RealRunner


class Links(Enum):
    """What connects the nodes."""

    LOOPBACK = "loopback"
    USERSPACE = "userspace"
    NETEM = "netem"
    MININET = "mininet"
    EXTERNAL = "external"

    @property
    def caveat(self) -> str:
        """What a reader of the figures must know."""
        return _CAVEATS[self]


_CAVEATS = {
    Links.LOOPBACK: "unshaped: rates and delays are this machine's, not the topology's",
    Links.USERSPACE: "shaped as the topology says, and measured before and after the run",
    Links.NETEM: "shaped by the kernel, measured before the run; chance says what is lost",
    Links.MININET: "of Mininet, shaped as the topology says, and measured before the run",
    Links.EXTERNAL: "whose rates and delays are those of the real network",
}


class Talk(TypedDict, total=False):
    """What is asked of a model that generates, and who listens; see `RealRunner`."""

    asking: "Asking"
    answered: "Answered"
    written: "Written"
    previewed: "Previewed"
    computed: "Computed"


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
    dilation: float = 1.0,
    **talk: Unpack[Talk],
) -> "RealRunner":
    """Return the real runner for these links; `RealRunError` where something is missing.

    ``talk`` are who tells prompts and is told of answers.
    """
    with needs("real"):
        from real_runner.fleet.yards import ExternalYard  # noqa: PLC0415 - see above
        from real_runner.runner import RealRunner  # noqa: PLC0415
    if links is not Links.EXTERNAL:
        _refuse_given(links, inventory=inventory, credentials=credentials)
        kind = _emulated(links) or "loopback"
        return RealRunner(deployment, links=kind, secure=secure, dilation=dilation, **talk)
    if inventory is None:
        raise RealRunError("--links external: name the workers' addresses with --inventory FILE")
    if secure and credentials is None:
        raise RealRunError(
            "--links external: name what 'tessera credentials' made with --credentials DIR, or "
            "give --insecure"
        )
    yard = ExternalYard.of(read_inventory(inventory), credentials if secure else None)
    return RealRunner(deployment, external=yard, secure=secure, dilation=dilation, **talk)


def link_backend(links: Links, run: str, folder: Path, topology: Topology) -> "Backend":
    """Return emulated links alone, to be started; ``folder`` is theirs.

    Raises `RealRunError` for links that are not emulated, or where something is missing, and
    `ScenarioError` for a topology that they cannot honour.
    """
    with needs("real"):
        from real_runner.links.kinds import emulated_links  # noqa: PLC0415 - see above
    kind = _emulated(links)
    if kind is None:
        raise RealRunError(f"--links {links.value}: not emulated; use userspace, netem or mininet")
    return emulated_links(kind, run, folder, topology)


def _emulated(links: Links) -> Literal["userspace", "netem", "mininet"] | None:
    match links:
        case Links.USERSPACE:
            return "userspace"
        case Links.NETEM:
            return "netem"
        case Links.MININET:
            return "mininet"
    return None


def _refuse_given(links: Links, **options: Path | None) -> None:
    for name, value in options.items():
        if value is not None:
            raise RealRunError(f"--{name} {value}: has no meaning with --links {links.value}")
