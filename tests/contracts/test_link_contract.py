"""What runners whose links have rates and delays must do when links fail."""

from sim.faults import Fault, FaultPlan
from sim.plan import Plan, Transfer
from sim.runner import Runner
from sim.trace import FAILED, FINISHED, LOST
from tests.conftest import MakeScenario, Scripted
from tests.contracts.conftest import About
from tests.contracts.test_fault_contract import FirstUp
from workloads.stage import Payload


def test_a_crash_loses_transfers_to_and_from_the_node(
    shaping_runner: Runner, make_scenario: MakeScenario
) -> None:
    large = FirstUp(Payload("pixels", (0,), fixed_bytes=5e5))
    for moment_s in (0.27, 1.3):  # amidst the way there (to 0.53 s) and the way back (from 1.03 s)
        faults = FaultPlan((Fault(moment_s, "a", "crash"),))
        trace = shaping_runner.run(make_scenario(large, faults=faults))
        assert [r.outcome for r in trace.records if r.attempt == 0][-1] == LOST
        assert trace.outcomes[0].outcome == FINISHED


def test_an_outage_stalls_and_a_degraded_link_slows(
    shaping_runner: Runner, make_scenario: MakeScenario, shaped: About
) -> None:
    plan = Plan((Transfer("edge", "a", Payload("x", fixed_bytes=1e6)),))  # 1.03 s
    stalled = FaultPlan(
        (Fault(0.53, "edge->router", "outage"), Fault(1.53, "edge->router", "restore"))
    )
    trace = shaping_runner.run(make_scenario(Scripted((plan,)), faults=stalled))
    assert trace.outcomes[0].latency_s == shaped(2.03)
    degraded = FaultPlan((Fault(0.53, "edge->router", "degrade", 0.5),))
    trace = shaping_runner.run(make_scenario(Scripted((plan,)), faults=degraded))
    assert trace.outcomes[0].latency_s == shaped(0.53 + 0.47 / 0.5 + 0.03)


def test_a_transfer_that_hangs_is_given_up(
    shaping_runner: Runner, make_scenario: MakeScenario, shaped: About
) -> None:
    plan = Plan((Transfer("edge", "a", Payload("x", fixed_bytes=1e6)),))
    faults = FaultPlan((Fault(0.5, "router->a", "outage"),), timeout_s=2.0, plans=2)
    trace = shaping_runner.run(make_scenario(Scripted((plan,) * 2), faults=faults))
    assert [record.outcome for record in trace.records] == [LOST, LOST]
    assert trace.records[0].end_s == shaped(2.0)
    assert trace.outcomes[0].outcome == FAILED
