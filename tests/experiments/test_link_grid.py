"""Emulated links over the whole grid of delays, rates and losses, as ping and iperf3 see them."""

import asyncio

import pytest

pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")

from experiments.link_grid import GRID, Cell, Figure, measure
from experiments.workplaces import Links
from tests.emulating import why_not

SOME = (Cell(0.0, 10e6, 0.01), Cell(5e-3, 1e6, 0.0), Cell(20e-3, 100e6, 0.0))

emulating = pytest.mark.skipif(bool(why_not()), reason=why_not())


@emulating
def test_some_links_are_as_they_should_be() -> None:
    found = asyncio.run(measure(Links.USERSPACE, SOME))
    assert [each.cell for each in found] == list(SOME)
    assert [each for each in found if not each.holds] == []


@pytest.mark.long
@emulating
def test_all_links_of_the_grid_are_as_they_should_be() -> None:
    rest = [cell for cell in GRID if cell not in SOME]
    assert len(rest) + len(SOME) == 48
    found = asyncio.run(measure(Links.USERSPACE, rest))
    assert [each for each in found if not each.holds] == []


def test_a_figure_outside_its_bounds_does_not_hold() -> None:
    assert Figure(1.0, 1.03, 0.97, 1.03).holds
    assert not Figure(1.0, 1.031, 0.97, 1.03).holds
    assert not Figure(1.0, 0.969, 0.97, 1.03).holds
