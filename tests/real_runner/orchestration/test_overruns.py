"""What a host could not do in the time that a profile allows is counted, node by node."""

import pytest

from experiments.scenarios.loader import load
from real_runner.deployment import Deployment, NodeSpec
from real_runner.errors import RunRefusedError
from real_runner.orchestration.overruns import GRACE_S, Overruns
from real_runner.runner import RealRunner


def test_each_node_that_overran_has_one_incident_with_its_count() -> None:
    overruns = Overruns()
    for native_s in (0.010, 0.0205, 0.034, 0.010):
        overruns.count("slow", native_s, 0.02)
    overruns.count("quick", 0.001, 0.02)
    (incident,) = overruns.incidents(7.0)
    assert (incident.at_s, incident.target, incident.kind) == (7.0, "slow", "overrun")
    assert incident.detail == (
        "1 of 4 computations took longer than their profile, by 14.0 ms at most"
    )


def test_what_clocks_and_schedulers_add_is_no_overrun() -> None:
    overruns = Overruns()
    overruns.count("edge", 0.02 + 0.9 * GRACE_S, 0.02)
    assert list(overruns.incidents(0.0)) == []
    overruns.count("edge", 0.02 + 1.1 * GRACE_S, 0.02)
    assert [each.target for each in overruns.incidents(0.0)] == ["edge"]


def test_a_processor_that_stands_in_for_what_is_quicker_is_found_out() -> None:
    settings = ["topology=orin-nano-4-clouds", "workload.requests=2", "warm_up=0"]
    scenario = load("small-sam", settings, "local")
    for pace in ("profile", "native"):
        with RealRunner(Deployment(default=NodeSpec(pace=pace))) as runner:
            incidents = runner.run(scenario).incidents
        found = [(incident.target, incident.kind) for incident in incidents]
        assert found == [("orin-nano", "overrun")] * (pace == "profile")


def test_a_run_that_was_slowed_in_vain_is_refused_with_the_remedy() -> None:
    overruns = Overruns()
    overruns.refuse(4.0)  # nothing happened
    overruns.count("quick", 0.025, 0.02)
    for native_s in (0.010, 0.041, 0.021):
        overruns.count("slow", native_s, 0.02)
    with pytest.raises(RunRefusedError) as refused:
        overruns.refuse(4.0)
    assert str(refused.value) == (
        "node 'slow': 1 of 3 computations took longer than their profile, by 21.0 ms at most (1 "
        "more nodes did so, too); at a dilation of 4 this machine cannot stand in for it: give a "
        "larger --dilation, e.g. 8"
    )


def test_what_overran_before_a_request_counts_refuses_nothing() -> None:
    settings = ["topology=orin-nano-4-clouds", "workload.requests=3"]
    paced = Deployment(default=NodeSpec(pace="profile"))
    with RealRunner(paced, dilation=1.25) as runner:
        with pytest.raises(RunRefusedError, match=r"'orin-nano': [2-4] of 4 computations"):
            runner.run(load("small-sam", [*settings, "warm_up=1"], "local"))
        with pytest.raises(RunRefusedError, match=r"'orin-nano': [12] of 2 computations"):
            runner.run(load("small-sam", [*settings, "warm_up=2"], "local"))
