"""Emulated links over the whole grid of delays, rates and losses, as ping and iperf3 see them."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")

from experiments.questions.link_grid import GRID, SLACK_S, Cell, Figure, Measured, measure
from experiments.workplaces import Links
from tests.emulating import why_not

SOME = (Cell(0.0, 10e6, 0.01), Cell(5e-3, 1e6, 0.0), Cell(20e-3, 100e6, 0.0))

emulating = pytest.mark.skipif(bool(why_not()), reason=why_not())


def measured(cells: Sequence[Cell]) -> list[Measured]:
    """Measure links, in slow motion what this machine is too slow for just now.

    With both of its processors busy at the ends of a link of 500 Mbit/s it may carry 460: that is
    its speed, which no test asserts.
    """
    found = asyncio.run(measure(Links.USERSPACE, cells))
    missed = [each.cell for each in found if not each.holds]
    if missed:
        slowed = asyncio.run(measure(Links.USERSPACE, [cell.slowed(4) for cell in missed]))
        again = {each.cell: each for each in (each.hastened(4) for each in slowed)}
        found = [again.get(each.cell, each) for each in found]
    return found


@emulating
def test_some_links_are_as_they_should_be() -> None:
    found = measured(SOME)
    assert [each.cell for each in found] == list(SOME)
    assert [each for each in found if not each.holds] == []


@pytest.mark.long
@emulating
def test_all_links_of_the_grid_are_as_they_should_be() -> None:
    rest = [cell for cell in GRID if cell not in SOME]
    assert len(rest) + len(SOME) == 48
    found = measured(rest)
    assert [each for each in found if not each.holds] == []


@pytest.mark.long
@emulating
def test_links_of_netem_are_as_they_should_be_in_a_guest_that_has_it() -> None:
    if reason := why_not("linux.uml"):
        pytest.skip(reason)
    command = [sys.executable, "-m", "experiments.questions.link_grid", "--links", "netem"]
    command += ["--inside", "uml", "--rate", "10Mbit/s", "--rate", "100Mbit/s", "--dilation", "2"]
    command += ["--delay", "20ms", "--loss", "0", "--loss", "0.01"]
    for _ in range(3):  # a guest is an ordinary process: what this machine does meanwhile shows
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 links are within tolerance" in done.stdout


def test_what_was_measured_of_a_slowed_link_is_told_of_the_link() -> None:
    cell = Cell(0.02, 10e6, 0.0)
    slowed = cell.slowed(4)
    assert slowed == Cell(0.08, 2.5e6, 0.0, 4 * SLACK_S)
    assert slowed.queue_bytes == cell.queue_bytes
    found = Measured(slowed, Figure(0.16, 0.164, 0.158, 0.162), Figure(2.4e6, 2.4e6, 2.3e6, 2.5e6))
    assert found.hastened(4) == Measured(
        cell, Figure(0.04, 0.041, 0.0395, 0.0405), Figure(9.6e6, 9.6e6, 9.2e6, 10e6)
    )
    lossy = Measured(Cell(0.0, 1e6, 0.01), found.round_trip, Figure(0.01, 0.01, 0.0, 0.02))
    assert lossy.hastened(4).carried == lossy.carried


def test_a_figure_outside_its_bounds_does_not_hold() -> None:
    assert Figure(1.0, 1.03, 0.97, 1.03).holds
    assert not Figure(1.0, 1.031, 0.97, 1.03).holds
    assert not Figure(1.0, 0.969, 0.97, 1.03).holds
