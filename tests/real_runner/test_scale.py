"""Sixteen clouds that compute, some of which die: every request is answered, once and rightly."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from real_runner.runner import RealRunner  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.plan import Compute  # noqa: E402
from sim.runner import Scenario  # noqa: E402
from sim.trace import FINISHED, LOST, Record, Trace  # noqa: E402
from tests.real_runner.conftest import EXACT, PICTURE, TINY, in_turn, sharded  # noqa: E402
from topologies.shipped import load  # noqa: E402
from workloads.sam.model import Sam  # noqa: E402

REQUESTS = 50
CLIENTS = 2
CLOUDS = [node.name for node in load("jetson-16-clouds").clouds]
MODEL = Sam(TINY, PICTURE, precision="fp32")


def scenario(mode: str, requests: int = REQUESTS, **changes: Any) -> Scenario:
    policy = sharded(mode)
    return in_turn(policy, requests, CLIENTS, topology="jetson-16-clouds", model=MODEL, **changes)


def crashes(trace: Trace, victims: list[str]) -> FaultPlan:
    """Return a plan that has nodes crash one after the other, before half of a run is over.

    So they do if the next run is twice as fast as this one was.
    """
    return FaultPlan(
        tuple(
            Fault(0.45 * trace.end_s * (number + 1) / (len(victims) + 1), node, "crash")
            for number, node in enumerate(victims)
        ),
        timeout_s=5.0,
    )


def all_answered(trace: Trace, answers: dict[int, bytes]) -> None:
    assert sorted(outcome.request.index for outcome in trace.outcomes) == list(range(REQUESTS))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert sorted(answers) == list(range(REQUESTS))


def places(record: Record) -> tuple[str, ...]:
    step = record.plan.steps[record.step]
    return (step.node,) if isinstance(step, Compute) else (step.source, step.target)


def recovery_s(trace: Trace) -> list[float]:
    """Return the time from each crash to the end of the first request planned again after it."""
    ends_s = {outcome.request.index: outcome.end_s for outcome in trace.outcomes}
    lost = [record for record in trace.records if record.outcome == LOST]
    found = []
    for crash in trace.incidents:
        hit = {r.request for r in lost if crash.target in places(r) and r.end_s >= crash.at_s}
        if crash.kind == "crash" and hit:
            found.append(min(ends_s[request] for request in hit) - crash.at_s)
    return found


@pytest.mark.long
@pytest.mark.parametrize("mode", ["exact", "prefix"])
def test_crashes_of_one_and_of_four_clouds_lose_no_request_and_change_no_mask(
    mode: str, record_property: Any
) -> None:
    found: list[dict[int, bytes]] = []

    def keep(request: Any, answer: bytes) -> None:
        assert request.index not in found[-1], "answered twice"
        found[-1][request.index] = answer

    with RealRunner(EXACT, answered=keep) as runner:
        found.append({})
        calm = runner.run(scenario(mode))
        all_answered(calm, found[0])
        assert calm.incidents == []
        assert len(set(found[0].values())) > 1
        for victims in (CLOUDS[3:4], CLOUDS[4:8]):
            found.append({})
            trace = runner.run(scenario(mode, faults=crashes(calm, victims)))
            all_answered(trace, found[-1])
            assert found[-1] == found[0]
            assert [i.target for i in trace.incidents if i.kind == "crash"] == victims
            record_property(f"recovery_s of {mode}, {len(victims)} crashed", recovery_s(trace))
        assert len(runner.versions) == len(CLOUDS) + 1
    record_property(f"requests per second of {mode}", REQUESTS / calm.end_s)
