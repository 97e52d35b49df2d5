"""Workers that lie, fall silent or die: their work goes to others, and the answer is right."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")

from real_runner.control.messages import ORCHESTRATOR  # noqa: E402
from real_runner.fleet.yards import ExternalYard  # noqa: E402
from real_runner.runner import RealRunner  # noqa: E402
from real_runner.wire.authority import Authority  # noqa: E402
from sim.faults import FaultPlan  # noqa: E402
from sim.plan import Transfer  # noqa: E402
from sim.trace import FAILED, FINISHED, LOST, Trace  # noqa: E402
from tests.real_runner.conftest import EXACT, in_turn, sharded  # noqa: E402

NODES = ("orin-nano", "aws-t4", "gcp-l4", "azure-a100", "coreweave-h100")
BAD = "gcp-l4"
REQUESTS = 3
TURNED_AWAY = {
    "nan": "holds numbers that are not finite",
    "shape": "it should be",
    "dtype": "it should be",
    "fewer-bytes": "it should be",
    "checksum": "the checksum is that of other bytes",
    "accuses": "I do not like it",
}
GONE = {
    "dies": ("ended", ""),
    "stops": ("given-up", "silent for"),
    "drops": ("given-up", "no news of a step"),
}
OWN = ("fails-once", "never-ends", "fails")


class Ran(NamedTuple):
    """What became of a run: its trace, and its answers by request."""

    trace: Trace
    answers: dict[int, bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    authority = Authority.create()
    for node in (*NODES, ORCHESTRATOR):
        authority.issue(node).save(folder / node)
    return folder


@pytest.fixture(scope="module")
def addresses(keys: Path) -> Iterator[dict[str, str]]:
    """Where a worker of each kind listens, and one good one per node."""
    kinds = [*TURNED_AWAY, *GONE, *OWN]
    orders = [f"{kind}={keys / BAD}" for kind in kinds] + [f"good={keys / n}" for n in NODES]
    script = Path(__file__).with_name("misbehaving.py")
    with subprocess.Popen(
        [sys.executable, str(script), *orders],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as forked:  # fmt: skip
        try:
            yield dict(zip((*kinds, *NODES), json.loads(forked.stdout.readline()), strict=True))
        finally:
            forked.kill()


RunWith = Callable[..., Ran]


@pytest.fixture(scope="module")
def run_with(addresses: dict[str, str], keys: Path) -> RunWith:
    def run(bad: str = BAD, mode: str = "exact", **changes: object) -> Ran:
        answers: dict[int, bytes] = {}

        def keep(request, answer):
            assert answers.setdefault(request.index, answer) is answer

        there = {node: addresses[node] for node in NODES} | {BAD: addresses[bad]}
        yard = ExternalYard.of(there, keys / ORCHESTRATOR)
        faults = FaultPlan(silence_s=0.6, timeout_s=1.0)
        scenario = in_turn(sharded(mode), REQUESTS, **{"faults": faults, **changes})
        with RealRunner(EXACT, external=yard, answered=keep) as runner:
            return Ran(runner.run(scenario), answers)

    return run


@pytest.fixture(scope="module")
def expected(run_with: RunWith) -> dict[int, bytes]:
    ran = run_with()
    assert ran.trace.incidents == []
    assert {record.outcome for record in ran.trace.records} == {FINISHED}
    assert len(ran.answers) == REQUESTS
    return ran.answers


def is_of(node: str, record) -> bool:
    step = record.plan.steps[record.step]
    return node in ((step.source, step.target) if isinstance(step, Transfer) else (step.node,))


def judged(ran: Ran, expected: dict[int, bytes]) -> None:
    """Prove that everything ended as if nothing had been, with steps of the bad node lost."""
    assert ran.answers == expected
    outcomes = {outcome.request.index: outcome.outcome for outcome in ran.trace.outcomes}
    assert outcomes == dict.fromkeys(range(REQUESTS), FINISHED)
    assert len(ran.trace.outcomes) == REQUESTS
    lost = [record for record in ran.trace.records if record.outcome == LOST]
    assert lost
    assert all(is_of(BAD, record) for record in lost)


def failed_at_s(ran: Ran) -> float:
    """Return when the bad node was taken for failed."""
    kinds = ("malformed", "ended", "given-up")
    (incident,) = [i for i in ran.trace.incidents if i.target == BAD and i.kind in kinds]
    return incident.at_s


def shunned(ran: Ran) -> None:
    """Prove that no plan made after the bad node had failed gave it anything."""
    plans = defaultdict(list)
    for record in ran.trace.records:
        plans[record.request, record.attempt].append(record)
    later = [p for p in plans.values() if min(r.queued_s for r in p) > failed_at_s(ran)]
    assert later
    assert not any(is_of(BAD, record) for plan in later for record in plan)
    assert ran.trace.off_s[BAD] > 0
    assert {i.target for i in ran.trace.incidents if i.kind != "lost-step"} == {BAD}


@pytest.mark.parametrize("kind", TURNED_AWAY)
def test_a_node_that_sends_what_is_of_no_use_is_treated_as_failed(
    run_with: RunWith, expected: dict[int, bytes], kind: str
) -> None:
    ran = run_with(kind)
    judged(ran, expected)
    shunned(ran)
    (incident,) = [i for i in ran.trace.incidents if i.kind == "malformed"]
    assert TURNED_AWAY[kind] in incident.detail


@pytest.mark.parametrize("kind", GONE)
def test_a_node_that_dies_or_falls_silent_is_treated_as_failed(
    run_with: RunWith, expected: dict[int, bytes], kind: str
) -> None:
    ran = run_with(kind)
    judged(ran, expected)
    shunned(ran)
    (incident,) = [i for i in ran.trace.incidents if i.kind != "lost-step"]
    assert incident.kind == GONE[kind][0]
    assert incident.detail.startswith(GONE[kind][1])
    assert incident.detail


def test_an_error_of_a_stage_loses_the_step_and_not_the_node(
    run_with: RunWith, expected: dict[int, bytes]
) -> None:
    ran = run_with("fails-once", "prefix")
    judged(ran, expected)
    (incident,) = ran.trace.incidents
    assert (incident.target, incident.kind) == (BAD, "lost-step")
    assert incident.detail == "ArithmeticError: the accelerator is on fire"
    assert any(is_of(BAD, r) for r in ran.trace.records if r.request == REQUESTS - 1)


def test_a_node_that_always_fails_ends_its_requests_but_not_the_run(run_with: RunWith) -> None:
    ran = run_with("fails", "prefix", faults=FaultPlan(plans=2))
    outcomes = [(o.outcome, o.reason) for o in ran.trace.outcomes]
    assert outcomes == [(FAILED, "2 of its plans were lost")] * REQUESTS
    assert ran.answers == {}


def test_a_computation_that_never_ends_is_given_up_with_its_request(run_with: RunWith) -> None:
    ran = run_with("never-ends", "prefix", patience_s=2.0)
    first, *others = ran.trace.outcomes
    assert (first.outcome, first.reason) == (FAILED, "not answered within 2 s")
    assert [incident.kind for incident in ran.trace.incidents] == ["given-up"]
    assert FINISHED in {outcome.outcome for outcome in others}
