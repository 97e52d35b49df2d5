"""The simulator against a request worked out by hand, and against its own books."""

import pytest

from sim.engine.simulator import Simulator
from sim.engine.world import World
from sim.plan import Compute, Plan, Transfer
from tests.conftest import MakeScenario, Scripted
from workloads.stage import Payload, Stage


def seconds_on_edge(seconds: float) -> Stage:
    return Stage("edge-work", seconds * 1e12, 0.0)


MEGABYTE = Payload("pixels", (0,), fixed_bytes=1e6)
HALF = Payload("tokens", (1,), fixed_bytes=5e5)

# The access link carries 1 MB/s each way, 10 ms; a lies 20 ms behind it, b 30 ms, both at 10 MB/s.
SHARDED = Plan(
    (
        Compute("edge", (seconds_on_edge(0.1),)),
        Transfer("edge", "a", MEGABYTE, after=(0,)),
        Transfer("edge", "b", MEGABYTE, after=(0,)),
        Compute("a", (seconds_on_edge(1.0),), (1,)),
        Compute("b", (seconds_on_edge(1.0),), (2,)),
        Transfer("a", "edge", MEGABYTE, after=(3,)),
        Transfer("b", "edge", HALF, after=(4,)),
        Compute("edge", (seconds_on_edge(0.2),), (5, 6)),
    )
)

# Partition until 0.1. From then on both transfers share the access link, 0.5 MB/s each, and their
# last bytes leave it at 2.1: a has all at 2.13, b at 2.14. a computes at 2 TFLOP/s, 2.13 to 2.63;
# b at 1 TFLOP/s, 2.14 to 3.14. a's answer gets to the access link at 2.65 and has it alone until
# b's joins at 3.17: 520 kB are through. The other 480 kB take 0.96 s, to 4.13; b's has then 20 kB
# left, to 4.15. Both have 10 ms to go, to 4.14 and 4.16. Merging ends at 4.36.
BY_HAND = {0: 0.1, 1: 2.13, 2: 2.14, 3: 2.63, 4: 3.14, 5: 4.14, 6: 4.16, 7: 4.36}


def test_a_sharded_request_takes_as_long_as_worked_out_by_hand(
    make_scenario: MakeScenario,
) -> None:
    trace = Simulator().run(make_scenario(Scripted((SHARDED,))))
    ends = {record.step: record.end_s for record in trace.records}
    assert ends == {step: pytest.approx(end_s, rel=1e-12) for step, end_s in BY_HAND.items()}
    assert trace.outcomes[0].latency_s == pytest.approx(4.36, rel=1e-12)


def test_a_wrong_delay_would_be_noticed(make_scenario: MakeScenario) -> None:
    trace = Simulator().run(make_scenario(Scripted((SHARDED,))))
    assert trace.outcomes[0].latency_s != pytest.approx(4.35 + 1e-9, rel=1e-12)


def test_one_transfer_on_an_idle_path_takes_delay_and_transmission(
    make_scenario: MakeScenario,
) -> None:
    plan = Plan((Transfer("edge", "b", HALF),))
    trace = Simulator().run(make_scenario(Scripted((plan,))))
    assert trace.outcomes[0].latency_s == pytest.approx(0.040 + 5e5 * 8 / 8e6, rel=1e-9)


def test_requests_queue_for_the_device_in_order_of_arrival(make_scenario: MakeScenario) -> None:
    plan = Plan((Compute("edge", (seconds_on_edge(1.0),)),))
    trace = Simulator().run(make_scenario(Scripted((plan,)), arrivals_s=(0.0, 0.25, 0.5)))
    assert [record.start_s for record in trace.records] == [0.0, 1.0, 2.0]
    assert [record.queued_s for record in trace.records] == [0.0, 0.25, 0.5]


def test_the_runner_s_books_agree_with_the_records(make_scenario: MakeScenario) -> None:
    trace = Simulator().run(make_scenario(Scripted((SHARDED,)), arrivals_s=(0.0, 0.3, 2.0)))
    for node, busy_s in trace.busy_s.items():
        recorded_s = sum(
            record.end_s - record.start_s
            for record in trace.records
            if isinstance(step := record.plan.steps[record.step], Compute) and step.node == node
        )
        assert busy_s == pytest.approx(recorded_s, rel=1e-9)
    assert trace.carried_bytes[0] == pytest.approx(3 * 2e6, rel=1e-9)
    assert trace.carried_bytes[1] == pytest.approx(3 * 1.5e6, rel=1e-9)


def test_a_policy_sees_the_world_as_it_was(make_scenario: MakeScenario) -> None:
    plan = Plan((Compute("edge", (seconds_on_edge(1.0),)),))
    fresh, stale = Scripted((plan,)), Scripted((plan,))
    Simulator().run(make_scenario(fresh, arrivals_s=(0.0, 0.25)))
    Simulator().run(make_scenario(stale, arrivals_s=(0.0, 0.25, 0.5), view_age_s=0.2))
    assert fresh.seen[1][2].backlog_s["edge"] == pytest.approx(0.75)
    assert fresh.seen[1][2].age_s == 0.0
    assert stale.seen[1][2].age_s == pytest.approx(0.2)
    assert stale.seen[1][2].backlog_s["edge"] == pytest.approx(0.95)  # as of 0.05 s
    assert stale.seen[2][2].backlog_s["edge"] == pytest.approx(1.7)  # as of 0.3 s, two waiting


def test_a_plan_made_unforeseen_gets_a_view_that_is_old_enough(
    make_scenario: MakeScenario,
) -> None:
    first = Plan((Compute("edge", (seconds_on_edge(1.0),)),), completes=False)
    policy = Scripted((first, Plan(())))
    Simulator().run(make_scenario(policy, arrivals_s=(0.5,), view_age_s=0.2))
    assert policy.seen[1][2].now_s == pytest.approx(1.5)
    assert policy.seen[1][2].age_s >= 0.2


def test_a_user_s_own_process_runs_beside_and_disturbs(make_scenario: MakeScenario) -> None:
    def halve_the_access_link(world: World):
        yield world.clock.timeout(0.54)
        world.transport.set_factor(0, 0.5)

    plan = Plan((Transfer("edge", "b", MEGABYTE),))
    trace = Simulator(processes=[halve_the_access_link]).run(make_scenario(Scripted((plan,))))
    assert trace.outcomes[0].latency_s == pytest.approx(0.54 + 0.46 / 0.5 + 0.04)


def test_where_nothing_changes_a_policy_that_reads_no_load_sees_the_same_with_and_without_events(
    make_scenario: MakeScenario,
) -> None:
    plan = Plan((Compute("edge", (seconds_on_edge(1.0),)),))

    class Indifferent(Scripted):
        reads_load = False

    def idle(world: World):
        yield world.clock.timeout(0.0)

    still, moving = Indifferent((plan,)), Indifferent((plan,))
    arrivals_s = (0.0, 0.05, 0.25, 0.5)
    Simulator().run(make_scenario(still, arrivals_s=arrivals_s, view_age_s=0.2))
    Simulator([idle]).run(make_scenario(moving, arrivals_s=arrivals_s, view_age_s=0.2))
    for (_, _, one), (_, _, other) in zip(still.seen, moving.seen, strict=True):
        assert one.now_s == other.now_s
        assert one.age_s == pytest.approx(other.age_s)
        assert one.estimates.channel_bits_per_s == other.estimates.channel_bits_per_s
