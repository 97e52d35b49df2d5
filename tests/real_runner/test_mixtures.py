"""Nodes of different kinds in one run, requests that overlap, and views that are old."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import psutil
import pytest

torch = pytest.importorskip("torch")


from real_runner.deployment import Deployment, NodeSpec  # noqa: E402
from real_runner.runner import RealRunner  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.plan import Compute, Plan, PlanBuilder, Transfer  # noqa: E402
from sim.policies.chain import Local, Offload  # noqa: E402
from sim.policy import Policy, Progress, View  # noqa: E402
from sim.trace import FINISHED  # noqa: E402
from tests.conftest import At  # noqa: E402
from tests.real_runner.conftest import TINY, in_turn, sharded  # noqa: E402
from workloads.arrivals import Poisson  # noqa: E402
from workloads.images import Image  # noqa: E402
from workloads.sam.model import Sam  # noqa: E402
from workloads.stage import Request  # noqa: E402
from workloads.workload import Workload  # noqa: E402

EDGE, T4, L4, A100, H100 = "orin-nano", "aws-t4", "gcp-l4", "azure-a100", "coreweave-h100"
FP64 = NodeSpec(dtype="fp64")
PACED = NodeSpec(dtype="fp64", pace="profile")
SYNTHETIC = NodeSpec(executor="synthetic")
MIXED = Deployment(
    default=FP64, nodes={T4: SYNTHETIC, L4: SYNTHETIC, A100: PACED, EDGE: FP64}
)  # H100 is native


@dataclass
class Kept:
    """Answers by request, in the order in which they came."""

    answers: dict[int, bytes] = field(default_factory=dict)

    def __call__(self, request: Request, answer: bytes) -> None:
        assert request.index not in self.answers
        self.answers[request.index] = answer


@dataclass(frozen=True)
class Watching:
    """Another policy's plans, and the views that it had."""

    policy: Policy
    seen: list[View] = field(default_factory=list, compare=False)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        self.seen.append(view)
        return self.policy.plan(request, progress, view)


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def runner(kept: Kept) -> Iterator[RealRunner]:
    with RealRunner(MIXED, answered=kept) as made:
        kept.answers.clear()
        yield made


@pytest.fixture(autouse=True)
def forgotten(kept: Kept) -> None:
    kept.answers.clear()


def test_synthetic_and_real_clouds_serve_one_request_together(
    runner: RealRunner, kept: Kept
) -> None:
    trace = runner.run(in_turn(sharded("prefix"), 4))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert {record.outcome for record in trace.records} == {FINISHED}
    assert len(kept.answers) == 4
    used = {step.node for r in trace.records if isinstance(step := r.plan.steps[r.step], Compute)}
    assert used == {EDGE, T4, L4, A100, H100}
    assert "torch" not in runner.versions[T4]
    assert "torch" in runner.versions[A100]


def test_only_paced_nodes_are_held_as_long_as_their_profile_says(runner: RealRunner) -> None:
    scenario = in_turn(sharded("prefix"), 1)
    slow = replace(scenario, cost=Fixed(0.6))
    trace = runner.run(slow)
    held_s = {
        step.node: record.end_s - record.start_s
        for record in trace.records
        if isinstance(step := record.plan.steps[record.step], Compute) and step.node != EDGE
    }
    assert all(0.6 <= held_s[node] < 1.0 for node in (T4, L4, A100))
    assert held_s[H100] < 0.6


@dataclass(frozen=True)
class Fixed:
    """Every stage takes as long on every device."""

    stage_s: float

    def seconds(self, stage: object, device: object) -> float:
        del stage, device
        return self.stage_s


def test_requests_that_overlap_are_each_answered_with_their_own_mask(
    runner: RealRunner, kept: Kept
) -> None:
    """Eight pictures in turn, so request n and n + 8 have the same answer and others have not."""
    runner.run(in_turn(Local(), 8))
    alone = dict(kept.answers)
    assert len(set(alone.values())) == 8
    kept.answers.clear()
    scenario = in_turn(Local(), 24)
    workload = Workload(scenario.workload.model, Poisson(200.0), 24)
    trace = runner.run(replace(scenario, workload=workload))
    assert max(o.request.arrival_s for o in trace.outcomes) < min(
        sorted(o.end_s for o in trace.outcomes)[8:]
    ), "they were under way together"
    assert {index: alone[index % 8] for index in range(24)} == kept.answers


def test_open_arrivals_overlap_on_many_nodes(runner: RealRunner, kept: Kept) -> None:
    scenario = in_turn(sharded("exact"), 20)
    workload = Workload(scenario.workload.model, Poisson(60.0), 20)
    trace = runner.run(replace(scenario, workload=workload))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert sorted(kept.answers) == list(range(20))
    for node in (EDGE, T4, A100):
        computed = sorted(
            (r.start_s, r.end_s)
            for r in trace.records
            if isinstance(step := r.plan.steps[r.step], Compute) and step.node == node
        )
        slots = scenario.topology.node(node).device.slots
        assert slots == 1
        assert all(a[1] <= b[0] for a, b in pairwise(computed))


@pytest.mark.parametrize("age_s", [0.0, 0.3])
def test_a_policy_sees_the_world_as_old_as_the_scenario_says(
    runner: RealRunner, age_s: float
) -> None:
    policy = Watching(Offload())
    scenario = replace(in_turn(policy, 12, clients=3), cost=Fixed(0.02), view_age_s=age_s)
    runner.run(scenario)
    assert len(policy.seen) == 12
    if age_s:
        late = [view for view in policy.seen if view.now_s > 0.6]
        assert late
        assert all(age_s <= view.age_s < age_s + 0.3 for view in late)
    else:
        assert {view.age_s for view in policy.seen} == {0.0}
        assert any(max(view.backlog_s.values()) > 0 for view in policy.seen)


def test_an_edge_that_crashes_and_recovers_has_its_pictures_again(
    runner: RealRunner, kept: Kept
) -> None:
    faults = FaultPlan((Fault(0.1, EDGE, "crash"), Fault(0.3, EDGE, "recover")))
    scenario = in_turn(Patient(), 3, cost=Fixed(0.05), faults=faults)
    workload = Workload(scenario.workload.model, At((0.0, 4.0, 4.1)), 3)
    trace = runner.run(replace(scenario, workload=workload))
    assert [i.kind for i in trace.incidents if i.kind != "lost-step"] == ["crash", "recover"]
    finished = {o.request.index for o in trace.outcomes if o.outcome == FINISHED}
    assert {1, 2} <= finished
    assert set(kept.answers) == finished


@dataclass(frozen=True)
class Patient:
    """The whole chain on a cloud that computes."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del progress, view
        builder = PlanBuilder()
        ready = builder.transfer(EDGE, A100, request.model.captured, "fp64", ())
        stages = (request.model.prepare, *(link.stage for link in request.model.chain))
        done = builder.compute(A100, stages, ready)
        builder.transfer(A100, EDGE, request.model.chain[-1].output, "fp64", done)
        return builder.build()


def test_threads_and_processors_are_what_the_deployment_says() -> None:
    cpus = sorted(psutil.Process().cpu_affinity())
    spec = NodeSpec(threads=2, cpus=(cpus[0],))
    with RealRunner(Deployment(default=FP64, nodes={T4: spec, L4: SYNTHETIC})) as runner:
        runner.run(in_turn(sharded("prefix")))
        ready = runner._house.fleet.ready
        for node, allowed in ((T4, cpus[:1]), (A100, cpus), (L4, cpus)):
            process = psutil.Process(ready[node].pid)
            for thread in process.threads():
                assert sorted(psutil.Process(thread.id).cpu_affinity()) == allowed, node


def test_a_large_picture_reaches_its_origin() -> None:
    """Of more than a message may hold."""
    model = Sam(TINY, Image(1800, 1200, "raw"), precision="fp32")
    kept = Kept()
    with RealRunner(Deployment(default=FP64), answered=kept) as runner:
        trace = runner.run(in_turn(sharded("prefix"), 2, model=model))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert len(kept.answers) == 2
    first = trace.records[0].plan.steps[0]
    assert not isinstance(first, Transfer)
