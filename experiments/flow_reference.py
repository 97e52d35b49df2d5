"""Check the simulator's network against finish times that another solver computed.

``python -m experiments.flow_reference FILE…`` replays each file through `sim.engine.network` and
prints the largest relative error of a finish time. A file is a JSON object: ``caps`` (capacity of
each link, bytes per second), ``link_latency`` (one-way seconds per link; 0 if not given) and
``flows``, each with ``slot``, ``k``, ``bytes``, ``route`` (link indices) and ``finish`` (seconds).
Within a slot flows follow each other in the order of ``k``: each starts when the one before ends,
the first at 0.

Exit status: 0 when every error is below 1e-9, 1 when one is not, 2 when a file is no good.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sim.engine.clock import Clock
from sim.engine.network import Network

TOLERANCE = 1e-9


class ReferenceFileError(ValueError):
    """A file does not have the format; the message names the field and the value."""


@dataclass(frozen=True, slots=True)
class ReferenceFlow:
    """One flow of a slot, and when it is to end."""

    slot: int
    order: int
    size_bytes: float
    route: tuple[int, ...]
    finish_s: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A closed-loop workload with known finish times; slots hold flows in order."""

    capacities_bytes_per_s: tuple[float, ...]
    link_latency_s: float
    slots: tuple[tuple[ReferenceFlow, ...], ...]


def read(path: Path) -> Reference:
    """Read a reference file.

    Raises `ReferenceFileError` for a file that cannot be read or lacks the format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReferenceFileError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReferenceFileError(f"is no JSON: {error}") from error
    capacities = tuple(
        _number(capacity, f"caps[{index}]", above=0.0)
        for index, capacity in enumerate(_list(_field(document, "caps", ""), "caps"))
    )
    latency_s = _number(document.get("link_latency", 0.0), "link_latency", least=0.0)
    flows = [
        _flow(flow, f"flows[{index}]", len(capacities))
        for index, flow in enumerate(_list(_field(document, "flows", ""), "flows"))
    ]
    return Reference(capacities, latency_s, _slots(flows))


def largest_error(reference: Reference) -> float:
    """Replay the workload; return the largest relative error of a finish time."""
    clock = Clock()
    network = Network(clock, reference.capacities_bytes_per_s)
    errors = [0.0]

    def start_next(rest: Iterator[ReferenceFlow]) -> None:
        flow = next(rest, None)
        if flow is not None:
            delay_s = len(flow.route) * reference.link_latency_s
            network.start(flow.route, flow.size_bytes, delay_s, finish, (flow, rest))

    def finish(ended: tuple[ReferenceFlow, Iterator[ReferenceFlow]]) -> None:
        flow, rest = ended
        errors.append(abs(clock.now - flow.finish_s) / flow.finish_s)
        start_next(rest)

    for slot in reference.slots:
        start_next(iter(slot))
    clock.run()
    return max(errors)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay the files named on the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.flow_reference",
        description="Compare the simulator's flow finish times with reference files.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="simgrid_*.json")
    return max(_check(path) for path in parser.parse_args(arguments).files)


def _check(path: Path) -> int:
    """Print one file's verdict and return its exit status."""
    try:
        reference = read(path)
    except ReferenceFileError as refusal:
        print(f"{path}: {refusal}", file=sys.stderr)
        return 2
    error = largest_error(reference)
    good = error < TOLERANCE
    count = sum(len(slot) for slot in reference.slots)
    verdict = "agrees" if good else f"DISAGREES, tolerance {TOLERANCE:g}"
    print(f"{path}: {count} flows, largest relative error of a finish time {error:.3e}: {verdict}")
    return 0 if good else 1


def _slots(flows: Sequence[ReferenceFlow]) -> tuple[tuple[ReferenceFlow, ...], ...]:
    slots: dict[int, list[ReferenceFlow]] = {}
    for flow in sorted(flows, key=lambda flow: (flow.slot, flow.order)):
        slots.setdefault(flow.slot, []).append(flow)
    for slot, members in slots.items():
        for one, other in pairwise(members):
            if one.order == other.order:
                raise ReferenceFileError(f"flows: slot {slot} has k {one.order} twice")
    return tuple(tuple(members) for members in slots.values())


def _flow(value: object, place: str, links: int) -> ReferenceFlow:
    route = _list(_field(value, "route", place), f"{place}.route")
    for link in route:
        if _integer(link, f"{place}.route") not in range(links):
            raise ReferenceFileError(
                f"{place}.route names link {link}, but caps has links 0 to {links - 1}"
            )
    if len(set(route)) < len(route):
        raise ReferenceFileError(f"{place}.route is {route}, but may name no link twice")
    return ReferenceFlow(
        slot=_integer(_field(value, "slot", place), f"{place}.slot"),
        order=_integer(_field(value, "k", place), f"{place}.k"),
        size_bytes=_number(_field(value, "bytes", place), f"{place}.bytes", above=0.0),
        route=tuple(route),
        finish_s=_number(_field(value, "finish", place), f"{place}.finish", above=0.0),
    )


def _field(value: object, name: str, place: str) -> object:
    if not isinstance(value, dict):
        raise ReferenceFileError(f"{place or 'the file'} is {_shown(value)}, but must be an object")
    if name not in value:
        raise ReferenceFileError(f"{place}{'.' if place else ''}{name} is missing")
    field: object = value[name]
    return field


def _list(value: object, place: str) -> list[int]:
    if not isinstance(value, list) or not value:
        raise ReferenceFileError(f"{place} is {_shown(value)}, but must be a list, and not empty")
    return value


def _integer(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ReferenceFileError(f"{place} is {_shown(value)}, but must be an integer")
    return value


def _number(value: object, place: str, above: float = -math.inf, least: float = -math.inf) -> float:
    """Return ``value`` as a finite number greater than ``above`` and not less than ``least``."""
    limit = f"at least {least:g}" if above == -math.inf else f"greater than {above:g}"
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number) and number > above and number >= least:
                return number
    except OverflowError:
        pass
    raise ReferenceFileError(f"{place} is {_shown(value)}, but must be a finite number {limit}")


def _shown(value: object) -> str:
    """Return the value as JSON, short enough for one line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


if __name__ == "__main__":
    raise SystemExit(main())
