"""Do emulated links do what they are told? ping and iperf3 over delays, rates and losses.

Run it as ``python -m experiments.questions.link_grid [--links netem --inside uml] [--rate
1Mbit/s …]``, with ``--dilation K`` in slow motion, for what a machine or a guest cannot carry at
full speed. All
cells of the grid are links of one star, measured at their ends by programs that everybody trusts:
the idle round trip, what TCP carries where nothing is lost, and the share of datagrams lost where
some are.
Exit status 0 where all are within tolerance, 1 otherwise.
"""

import asyncio
import math
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from experiments.cli.inside import InsideOption
from experiments.cli.options import show
from experiments.inside.place import Place, left_out
from experiments.inside.uml.launching import run_in_guest
from experiments.workplaces import Links, link_backend
from real_runner.errors import RealRunError
from real_runner.links.kernel import is_guest
from real_runner.links.programs import Ends
from topologies.documents import parse_quantity
from topologies.shipped import load
from topologies.topology import Link, Node, Topology

DELAYS_S: Final = (0.0, 5e-3, 20e-3, 100e-3)
RATES_BITS_PER_S: Final = (1e6, 10e6, 100e6, 500e6)
LOSSES: Final = (0.0, 0.001, 0.01)

ROUND_TRIP_TOLERANCE: Final = 0.02
SLACK_S: Final = 0.5e-3
GOODPUT_TOLERANCE: Final = 0.03
CONFIDENCE: Final = 0.99
ECHO_BYTES: Final = 98
"""Of an echo of ping's own size, with all its headers."""
SEGMENT, DATAGRAM, FRAME = 1448, 1440, 1514
BURSTS_S: Final = 5e-3
AT_ONCE_BITS_PER_S: Final = 500e6
GUEST_RATES_BITS_PER_S: Final = RATES_BITS_PER_S[:3]
GUEST_AT_ONCE_BITS_PER_S: Final = 45e6
"""A guest has one processor, which the programs at the ends of its links need, too."""
CELLS_AT_ONCE: Final = 16
MOST_DATAGRAMS_BITS_PER_S: Final = 10e6
DATAGRAM_LOAD: Final = 0.5
TRIES: Final = 3
SECONDS: Final = 3
"""Of a measurement; with what goes before it less than ten seconds, when BBR first goes down to
four packets for a round trip to learn the least one (Cardwell et al., ACM Queue 14(5), 2016)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A link to be measured, whose round trip may be longer than by theory by ``slack_s``."""

    delay_s: float
    rate_bits_per_s: float
    loss: float
    slack_s: float = SLACK_S

    @property
    def name(self) -> str:
        """What its far end is called."""
        return f"{self.rate_bits_per_s / 1e6:g}M-{self.delay_s * 1e3:g}ms-{self.loss:g}"

    @property
    def queue_bytes(self) -> int:
        """What may wait before it: what BBR has under way at its start, at least a few bursts.

        That is up to 2/ln 2 bandwidth-delay products, of which one is on the wire.
        """
        return max(64 << 10, round(self.rate_bits_per_s * max(4 * self.delay_s, BURSTS_S) / 8))

    def slowed(self, dilation: float) -> "Cell":
        """Return the link on which everything lasts so many times as long."""
        return Cell(
            dilation * self.delay_s,
            self.rate_bits_per_s / dilation,
            self.loss,
            dilation * self.slack_s,
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and the bounds within which it should be; ``expected`` by theory."""

    expected: float
    measured: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds."""
        return self.least <= self.measured <= self.most

    def scaled(self, factor: float) -> "Figure":
        """Return it in other units."""
        values = (self.expected, self.measured, self.least, self.most)
        return Figure(*(factor * value for value in values))


@dataclass(frozen=True, slots=True)
class Measured:
    """A link's figures: its round trip (s), and its goodput (bit/s) or its loss."""

    cell: Cell
    round_trip: Figure
    carried: Figure

    @property
    def holds(self) -> bool:
        """Whether all of it is within its bounds."""
        return self.round_trip.holds and self.carried.holds

    def hastened(self, dilation: float) -> "Measured":
        """Return what this says of the link whose slowed one was measured."""
        per_time = dilation if self.cell.loss == 0 else 1.0
        return Measured(
            self.cell.slowed(1 / dilation),
            self.round_trip.scaled(1 / dilation),
            self.carried.scaled(per_time),
        )


GRID: Final = tuple(Cell(*values) for values in product(DELAYS_S, RATES_BITS_PER_S, LOSSES))


async def measure(links: Links, cells: Sequence[Cell]) -> list[Measured]:
    """Measure all cells as links of one star; what misses is measured again, alone."""
    at_once_bits_per_s = GUEST_AT_ONCE_BITS_PER_S if is_guest() else AT_ONCE_BITS_PER_S
    with tempfile.TemporaryDirectory() as folder:
        backend = link_backend(links, "grid", Path(folder), star(cells))
        try:
            await backend.start()
            backend.begin(1)
            ends = Ends(backend)
            trips = await _each(cells, ends, _round_trip, at_once_bits_per_s)
            clean = [cell for cell in cells if cell.loss == 0]
            lossy = [cell for cell in cells if cell.loss > 0]
            carried = await _each(clean, ends, _goodput, at_once_bits_per_s)
            carried |= await _each(lossy, ends, _loss, at_once_bits_per_s)
        finally:
            await backend.stop()
    return [Measured(cell, trips[cell], carried[cell]) for cell in cells]


def star(cells: Iterable[Cell]) -> Topology:
    """Return a hub with one link to each cell's far end, over which nothing else goes."""
    device = load("jetson-16-clouds").clouds[0].device
    ends = tuple(cells)
    return Topology(
        "grid",
        (Node("hub", "edge", device), *(Node(cell.name, "cloud", device) for cell in ends)),
        tuple(
            Link(
                "hub", cell.name, cell.rate_bits_per_s, cell.delay_s, loss=cell.loss,
                transport="tcp", congestion="bbr", queue_bytes=cell.queue_bytes,
            )
            for cell in ends
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """A way to measure a cell, from a port of its own, and what that puts on its link."""

    take: Callable[[Ends, Cell, int], Awaitable[Figure]]
    load_bits_per_s: Callable[[Cell], float]


async def _each(
    cells: Sequence[Cell], ends: Ends, look: Look, at_once_bits_per_s: float
) -> dict[Cell, Figure]:
    batches = _batches(cells, look.load_bits_per_s, at_once_bits_per_s)
    found = {cell: figure async for cell, figure in _batched(batches, ends, look)}
    for _ in range(TRIES - 1):  # chance alone misses once in a hundred times, a busy machine more
        missed = [[cell] for cell in cells if not found[cell].holds]
        found |= {cell: figure async for cell, figure in _batched(missed, ends, look)}
    return found


async def _batched(
    batches: Iterable[Sequence[Cell]], ends: Ends, look: Look
) -> AsyncIterator[tuple[Cell, Figure]]:
    for batch in batches:
        looks = [look.take(ends, cell, 5201 + number) for number, cell in enumerate(batch)]
        for cell, figure in zip(batch, await asyncio.gather(*looks), strict=True):
            yield cell, figure


def _batches(
    cells: Sequence[Cell], load: Callable[[Cell], float], at_once_bits_per_s: float
) -> Iterator[list[Cell]]:
    """Yield cells together whose loads a machine carries at once."""
    batch: list[Cell] = []
    for cell in sorted(cells, key=load):
        total = sum(map(load, batch)) + load(cell)
        if batch and (total > at_once_bits_per_s or len(batch) == CELLS_AT_ONCE):
            yield batch
            batch = []
        batch.append(cell)
    if batch:
        yield batch


async def _take_round_trip(ends: Ends, cell: Cell, port: int) -> Figure:
    del port
    expected_s = 2 * (cell.delay_s + 8 * ECHO_BYTES / cell.rate_bits_per_s)
    found_s = await ends.ping_s("hub", cell.name)
    measured_s = found_s[len(found_s) // 2] if found_s else math.inf
    slack_s = max(ROUND_TRIP_TOLERANCE * expected_s, cell.slack_s)
    return Figure(expected_s, measured_s, expected_s - slack_s, expected_s + slack_s)


async def _take_goodput(ends: Ends, cell: Cell, port: int) -> Figure:
    expected = cell.rate_bits_per_s * SEGMENT / FRAME
    finding_its_pace_s = math.ceil(1 + 25 * cell.delay_s)
    said = await ends.iperf(
        "hub", cell.name, "-t", str(SECONDS), "-O", str(finding_its_pace_s), port=port
    )
    slack = GOODPUT_TOLERANCE * expected
    measured = said["sum_received"]["bits_per_second"]
    return Figure(expected, measured, expected - slack, expected + slack)


async def _take_loss(ends: Ends, cell: Cell, port: int) -> Figure:
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    rate = _datagrams_bits_per_s(cell)
    options = ("-u", "-b", str(round(rate)), "-l", str(DATAGRAM), "-t", str(SECONDS))
    said = (await _opened(ends, cell, options, port))["sum"]
    sent, lost = said["packets"], said["lost_packets"]
    tail = (1 - CONFIDENCE) / 2
    least, most = (float(binom.ppf(q, sent, cell.loss)) / sent for q in (tail, 1 - tail))
    return Figure(cell.loss, lost / sent, least, most)


async def _opened(ends: Ends, cell: Cell, options: Sequence[str], port: int) -> Any:
    """Return what iperf3 says, which gives up where the datagram that opens its stream is lost."""
    for _ in range(TRIES - 1):
        with suppress(RealRunError):
            return await ends.iperf("hub", cell.name, *options, port=port)
    return await ends.iperf("hub", cell.name, *options, port=port)


def _datagrams_bits_per_s(cell: Cell) -> float:
    return min(DATAGRAM_LOAD * cell.rate_bits_per_s, MOST_DATAGRAMS_BITS_PER_S)


_round_trip: Final = Look(_take_round_trip, lambda _: 0.0)
_goodput: Final = Look(_take_goodput, lambda cell: cell.rate_bits_per_s)
_loss: Final = Look(_take_loss, _datagrams_bits_per_s)


def table(found: Iterable[Measured]) -> Table:
    """Return the figures, a row per link; what misses its bounds is marked."""
    shown = Table(title="Emulated links, measured with ping and iperf3 (! outside tolerance)")
    for name in (
        "delay ms",
        "Mbit/s",
        "loss",
        "RTT ms",
        "by theory",
        "goodput or loss",
        "by theory",
    ):
        shown.add_column(name, justify="right")
    for each in found:
        trip, carried, cell = each.round_trip, each.carried, each.cell
        unit, scale = (" Mbit/s", 1e-6) if cell.loss == 0 else (" %", 100)
        shown.add_row(
            f"{cell.delay_s * 1e3:g}",
            f"{cell.rate_bits_per_s / 1e6:g}",
            f"{cell.loss:.1%}",
            f"{trip.measured * 1e3:.2f}{'' if trip.holds else ' !'}",
            f"{trip.expected * 1e3:.2f}",
            f"{carried.measured * scale:.4g}{unit}{'' if carried.holds else ' !'}",
            f"{carried.expected * scale:.4g}{unit}",
        )
    return shown


def main(
    links: Annotated[Links, typer.Option(help="Which links to measure.")] = Links.USERSPACE,
    rate: Annotated[list[str] | None, typer.Option(help="E.g. 10Mbit/s; repeatable.")] = None,
    delay: Annotated[list[str] | None, typer.Option(help="E.g. 20ms; repeatable.")] = None,
    loss: Annotated[list[float] | None, typer.Option(help="E.g. 0.01; repeatable.")] = None,
    dilation: Annotated[
        float, typer.Option(min=1, help="So many times as long lasts everything on the links.")
    ] = 1.0,
    inside: InsideOption = None,
) -> None:
    """Measure a grid of emulated links and say which are within tolerance."""
    if inside is Place.UML:
        program = (sys.executable, "-P", "-m", "experiments.questions.link_grid")
        raise typer.Exit(run_in_guest([*program, *left_out(sys.argv[1:], "--inside")]))
    usual = GUEST_RATES_BITS_PER_S if is_guest() else RATES_BITS_PER_S
    rates = [parse_quantity(each, "rate") for each in rate or []] or usual
    delays = [parse_quantity(each, "duration") for each in delay or []] or DELAYS_S
    cells = [Cell(*values) for values in product(delays, rates, loss or LOSSES)]
    slowed = [cell.slowed(dilation) for cell in cells]
    found = [each.hastened(dilation) for each in asyncio.run(measure(links, slowed))]
    show(table(found))
    missed = sum(not each.holds for each in found)
    print(f"{len(found) - missed} of {len(found)} links are within tolerance")
    if missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
