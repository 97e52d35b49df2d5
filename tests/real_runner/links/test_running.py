"""The real runner over emulated links: what it measures, and what becomes of it without them."""

import time
from collections.abc import Iterator

import psutil
import pytest

from real_runner.deployment import Deployment, NodeSpec
from real_runner.errors import RealRunError
from real_runner.runner import RealRunner
from sim.plan import Plan, Transfer
from sim.policy import Progress, View
from sim.trace import FINISHED
from tests.conftest import MakeScenario, Scripted
from tests.emulating import why_not
from workloads.stage import Payload, Request

SYNTHETIC = Deployment(default=NodeSpec(executor="synthetic"))
DILATION = 4.0
"""A millisecond by which a busy machine is late is a quarter of one here."""


@pytest.fixture
def runner() -> Iterator[RealRunner]:
    if reason := why_not():
        pytest.skip(reason)
    with RealRunner(SYNTHETIC, links="userspace", dilation=DILATION) as runner:
        yield runner


def sending(size_bytes: float) -> Plan:
    return Plan((Transfer("edge", "a", Payload("x", fixed_bytes=size_bytes)),))


@pytest.mark.long
def test_a_transfer_takes_the_time_of_its_links_and_the_certificate_has_seen_it(
    runner: RealRunner, make_scenario: MakeScenario
) -> None:
    size_bytes = 5e5
    plan = sending(size_bytes)
    trace = runner.run(make_scenario(Scripted((plan, plan)), arrivals_s=(0.0, 1.0)))
    slowest_bits_per_s = 8e6 * 1448 / 1514
    for record in trace.records:
        took_s = record.end_s - record.start_s
        assert took_s == pytest.approx(8 * size_bytes / slowest_bits_per_s + 0.030, rel=0.1)
    certificate = runner.certificate
    assert certificate is not None
    assert certificate.report is not None
    assert certificate.problems == ()
    payload_bytes = 2 * size_bytes
    for channel in (0, 2):  # edge to router, router to a
        carried_bytes = certificate.report.channels[channel].carried_bytes
        assert payload_bytes * 1514 / 1448 <= carried_bytes <= payload_bytes * 1.1
    assert certificate.report.channels[4].carried_bytes < 0.01 * payload_bytes  # router to b


class Killing:
    """Sends something long, once the links are gone."""

    killed_s = 0.0

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del request, progress, view
        for child in psutil.Process().children():
            if any(
                "links.userspace.process" in word or "forwarder" in word for word in child.cmdline()
            ):
                child.kill()
                self.killed_s = time.monotonic()
        return sending(1e7)


@pytest.mark.long
def test_a_run_whose_links_are_killed_ends_and_the_next_has_new_ones(
    runner: RealRunner, make_scenario: MakeScenario
) -> None:
    killing = Killing()
    with pytest.raises(RealRunError, match="userspace links"):
        runner.run(make_scenario(killing))
    assert 0.0 < time.monotonic() - killing.killed_s < 5.0
    trace = runner.run(make_scenario(Scripted((sending(1e4),))))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
