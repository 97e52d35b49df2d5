"""A certificate tells links that are as they should be from links that are not."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from real_runner.errors import RunRefusedError
from real_runner.links.backend import Counted, Report
from real_runner.links.certificate import Certificate, Check
from real_runner.links.measuring import _goodput, measure
from tests.real_runner.links.conftest import Emulated, Ends, world
from topologies.topology import Link, Topology

CALM = Report(1000, 0, 0, 1e-5, 2e-4, 2e-3, (Counted(1500, 1, 0, 0),))


def certified(emulated: Emulated[Any], topology: Topology, factor: float = 1.0) -> Certificate:
    """Measure links that run at ``factor`` times the rate that they should have."""

    async def look(ends: Ends) -> Certificate:
        for link in topology.links:
            ends.emulation.set_factor(link.name, factor)
        return await asyncio.to_thread(measure, ends.emulation)

    found: Certificate = emulated(topology, look)
    return found


def test_links_as_they_should_be_are_certified_each_kind_once(emulated: Emulated[Any]) -> None:
    topology = world(
        Link("a", "b", 20e6, 0.005, back_rate_bits_per_s=10e6),
        Link("b", "c", 30e6, 0.002),
        Link("b", "d", 30e6, 0.002),
        Link("a", "c", 30e6, 1.0),  # which no packet takes
        Link("c", "e", 10e6, 0.001, loss=0.03),
        Link("c", "f", 30e6, 0.002, duplex="half"),
    )
    certificate = certified(emulated, topology)
    assert certificate.problems == ()
    certificate.require()
    found = {(check.channel, check.what) for check in certificate.checks}
    assert found == {
        ("a->b", "round trip"), ("a->b", "message"), ("a->b", "goodput"),
        ("b->a", "message"), ("b->a", "goodput"),
        ("b->c", "round trip"), ("b->c", "message"), ("b->c", "goodput"),
        ("c->e", "round trip"), ("c->e", "loss"),
        ("c->f", "round trip"), ("c->f", "message"), ("c->f", "goodput"),
    }  # fmt: skip
    assert certificate.alike == {"a->b": (), "b->c": ("b->d",), "c->e": (), "c->f": ()}


@pytest.mark.long
def test_slow_links_are_measured_side_by_side_as_what_they_stand_for(
    emulated: Emulated[Any],
) -> None:
    """The first would carry more than the window of a fluid allows for: not all of it is asked."""

    async def look(ends: Ends) -> Certificate:
        return await asyncio.to_thread(measure, ends.emulation, 100.0)

    topology = world(Link("a", "b", 200e6, 0.5), Link("b", "c", 1e6, 0.3), Link("b", "d", 2e6, 0.3))
    certificate: Certificate = emulated(topology, look)
    assert certificate.problems == ()
    assert certificate.dilation == 100
    goodputs = [check for check in certificate.checks if check.what == "goodput"]
    assert [check.least < 0.1 * check.expected for check in goodputs] == [True, False, False]


@pytest.mark.long
def test_a_link_that_carries_nothing_has_no_goodput(emulated: Emulated[Any]) -> None:
    topology = world(Link("a", "b", 2e6, 0.005))

    async def look(ends: Ends) -> Check:
        ends.emulation.set_factor("a->b", 0.0)
        channel = topology.channels[0]
        return await asyncio.to_thread(_goodput, ends.emulation, topology.links[0], channel, 1.0)

    found: Check = emulated(topology, look)
    assert found.measured == 0
    assert not found.holds


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_link_with_another_rate_is_refused_by_name(
    emulated: Emulated[Any], factor: float
) -> None:
    certificate = certified(emulated, world(Link("a", "b", 2e6, 0.005)), factor)
    wrong = [check.what for check in certificate.checks if not check.holds]
    assert wrong == ["message", "goodput"]
    with pytest.raises(RunRefusedError, match="link a->b: goodput"):
        certificate.require()


def plain(**changes: Any) -> Certificate:
    empty = Certificate("userspace", "6.1", True, {"bbr": 2}, "none", "seeded", (), {})
    return replace(empty, **changes)


def test_a_run_on_time_that_lost_nothing_is_no_problem() -> None:
    assert plain(report=CALM, sent=(("a->b", 1400.0),)).problems == ()


def test_what_is_dilated_may_be_late_by_as_much_of_the_time_that_it_stands_for() -> None:
    late = replace(CALM, late_p99_s=3.9e-3)
    assert plain(report=late, dilation=4.0).problems == ()
    assert "more than 3 ms" in plain(report=late, dilation=3.0).problems[0]


def test_checks_of_dilated_links_allow_for_wakings_of_the_time_that_they_stand_for(
    emulated: Emulated[Any],
) -> None:
    topology = world(Link("a", "b", 20e6, 0.001))
    plain, dilated = (
        emulated(topology, lambda ends, k=k: asyncio.to_thread(measure, ends.emulation, k))
        for k in (1.0, 4.0)
    )
    for narrow, wide in zip(plain.checks, dilated.checks, strict=True):
        times = 1 if narrow.what == "goodput" else 4
        assert wide.most - wide.expected == pytest.approx(times * (narrow.most - narrow.expected))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"report": replace(CALM, late_p99_s=1.01e-3)}, "late by 1.01 ms"),
        ({"report": replace(CALM, refused_packets=2)}, "2 packets were not taken"),
        ({"report": CALM, "device_drops": 3}, "3 packets were lost before"),
        ({"report": CALM, "sent": (("a->b", 1501.0),)}, "link a->b: carried 1500 bytes, though 15"),
    ],
)
def test_a_run_that_was_late_or_lost_packets_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RunRefusedError, match=reason):
        plain(**changes).require()


def test_the_document_holds_every_figure_and_what_is_wrong_with_it() -> None:
    check = Check("a->b", "loss", "", 0.1, 0.3, 0.05, 0.15)
    document = plain(checks=(check,), report=CALM).document()
    assert document["checks"][0]["measured"] == 0.3
    assert document["report"]["channels"][0]["carried_bytes"] == 1500
    assert document["problems"] == [str(check)]
