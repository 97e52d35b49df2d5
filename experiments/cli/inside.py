"""Where a command itself runs, and which links it gets there: ``--inside``, ``--links auto``."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from experiments.inside.means import NEEDS, Examiner, Finding
from experiments.inside.place import TESSERA, Place, again
from experiments.inside.rootless import become_root
from experiments.inside.uml.launching import run_in_guest
from experiments.workplaces import Links
from real_runner.errors import RealRunError
from topologies.documents import parse_quantity
from topologies.errors import TopologyError

AUTO = "auto"

LinksOption = Annotated[
    str,
    typer.Option(
        "--links",
        metavar=f"[{'|'.join((*(each.value for each in Links), AUTO))}]",
        help="What connects the nodes: loopback (workers on this machine, unshaped), userspace, "
        "netem or mininet (on this machine, over links as the topology says), external (workers "
        "that run elsewhere; see --inventory), or auto: userspace where this machine can, else "
        "netem.",
    ),
]
InsideOption = Annotated[
    Place | None,
    typer.Option(
        "--inside",
        help="Where the command itself runs: here, as root of a user namespace (by itself where "
        "links need root and you are not), or in a User-Mode Linux guest, which has netem and "
        "needs no root on any kernel.",
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Of the guest; default: half of what is free."),
]


def settle(
    arguments: Sequence[str],
    links: str,
    inside: Place | None = None,
    memory: str | None = None,
    *,
    program: str = TESSERA,
) -> Links:
    """Return the links to use, once the command of these ``arguments`` is where it is to run.

    ``program`` is whose command it is, see `experiments.inside.place.again`.

    Does not return where that is elsewhere: then the command is run again there, and this program
    ends with its exit status. Raises `RealRunError` where that cannot be.
    """
    if links not in (AUTO, *(each.value for each in Links)):
        there = ", ".join((*(each.value for each in Links), AUTO))
        raise RealRunError(f"--links {links}: there is no such kind; use one of {there}")
    if inside is Place.UML:
        command = again(arguments, "--inside", "--memory", program=program)
        raise SystemExit(run_in_guest(command, memory_bytes=_memory_bytes(memory)))
    if memory is not None:
        raise RealRunError(f"--memory {memory}: has no meaning without --inside uml")
    chosen = choose_links() if links == AUTO else Links(links)
    is_for_root = inside is None and chosen.value in NEEDS and os.geteuid() != 0
    if is_for_root or inside is Place.USER_NAMESPACE:
        _enter_namespace(arguments, chosen, program)
    return chosen


def choose_links() -> Links:
    """Return the best emulated links of this machine, and say in a line on standard error why.

    Never chooses links that shape nothing: raises `RealRunError` where there are no others.
    """
    examiner = Examiner()
    reasons: list[str] = []
    for word in ("userspace", "netem"):
        missing = examiner.missing(word)
        if not missing:
            why = f" ({'; '.join(reasons)})" if reasons else ", which this machine can emulate"
            print(f"--links auto: {word}{why}", file=sys.stderr)
            return Links(word)
        reasons.append(f"{word} links lack {_told(missing)}")
    hint = "" if examiner.missing_in_guest("netem") else "give --links netem --inside uml, or "
    raise RealRunError(
        f"--links auto: this machine cannot emulate links: {'; '.join(reasons)}; {hint}see "
        "tessera doctor; --links loopback would be unshaped"
    )


def _enter_namespace(arguments: Sequence[str], links: Links, program: str) -> None:
    missing = Examiner().missing(links.value) if links.value in NEEDS else []
    if missing:
        remedies = "; ".join(dict.fromkeys(each.remedy for each in missing))
        raise RealRunError(f"--links {links.value}: without root: {_told(missing)}; {remedies}")
    command = again(arguments, "--inside", "--links", program=program)
    become_root([*command, "--links", links.value])


def _told(missing: Sequence[Finding]) -> str:
    return ", ".join(f"{each.what} ({each.found})" for each in missing)


def _memory_bytes(memory: str | None) -> int | None:
    if memory is None:
        return None
    try:
        return int(parse_quantity(memory, "size"))
    except TopologyError as error:
        raise RealRunError(f"--memory {error}") from None
