"""Fitting machines to the steps they computed, and freezing what was found."""

from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from experiments.fidelity.fit import device_names, fit_world, freeze, renamed, thaw
from experiments.fidelity.services import services_s
from experiments.fidelity.stages import measured_stages
from experiments.scenarios.loader import load
from real_runner.deployment import Deployment, NodeSpec
from sim.calibration import Calibrated, fit
from sim.cost import Roofline
from sim.errors import ScenarioError
from sim.plan import Compute
from sim.runner import Scenario
from sim.trace import Trace
from tests.experiments.fidelity.conftest import Elsewhere, Law, MakeScenarios
from workloads.stage import Stage

TRAINING = ("local", "sharded/deferred", "sharded/exact:clouds=3", "sharded/exact:clouds=1")


def trained(scenarios: list[Scenario], cost: Law) -> dict[str, list[Trace]]:
    return {each.policy_name: [Elsewhere(cost).run(each)] for each in scenarios}


def stages_by_node(scenario: Scenario) -> dict[str, set[Stage]]:
    """Return what each node runs under an unseen policy."""
    found: dict[str, set[Stage]] = {}
    for record in Elsewhere().run(scenario).records:
        step = record.plan.steps[record.step]
        if isinstance(step, Compute):
            found.setdefault(step.node, set()).update(step.stages)
    return found


def test_what_machines_take_is_recovered_for_cuts_that_were_not_seen(
    scenarios: MakeScenarios,
) -> None:
    law = Law(by_kind={"sam.windowed": 2.0, "sam.global": 0.5})
    chosen = scenarios(*TRAINING)
    world = fit_world(chosen[0], Deployment(), trained(chosen, law))
    cost = Calibrated(world.profiles, Roofline())
    (unseen,) = scenarios("sharded/prefix:clouds=2")
    for name, stages in stages_by_node(unseen).items():
        node = chosen[0].topology.node(name)
        predicted_s = sum(cost.seconds(stage, node.device) for stage in stages)
        assert predicted_s == pytest.approx(
            sum(law.seconds(stage, node.device) for stage in stages), rel=0.05
        )


def test_waiting_for_a_busy_device_is_no_service(scenarios: MakeScenarios) -> None:
    (crowded,) = scenarios(
        "local", settings=("workload.arrivals={kind: poisson, rate_per_s: 100}",)
    )
    law = Law(slowness=20)
    observed = services_s([Elsewhere(law).run(crowded)])["orin-nano"]
    device = crowded.topology.node("orin-nano").device
    for stages, seconds in observed.items():
        assert max(seconds) == pytest.approx(sum(law.seconds(s, device) for s in stages))


def test_the_first_requests_do_not_count(scenarios: MakeScenarios) -> None:
    trace = Elsewhere().run(scenarios("local")[0])
    every, later = (services_s([trace], first)["orin-nano"] for first in (0, 5))
    assert {len(each) for each in every.values()} == {16}
    assert {len(each) for each in later.values()} == {11}


def test_stages_told_apart_by_other_steps_get_their_own_times() -> None:
    a, b = Stage("a", 1e9, 1e6), Stage("b", 4e9, 1e6)
    device = load("orin-nano-4-clouds").topology.node("orin-nano").device
    observed = {(a,): [0.03] * 3, (a, b): [0.05] * 3, (b, b): [0.04] * 3}
    rows = {row.kind: row for row in measured_stages(observed, Roofline(), device)}
    assert rows["a"].median_s == pytest.approx(0.03, rel=0.05)
    assert rows["b"].median_s == pytest.approx(0.02, rel=0.05)
    assert (rows["a"].repetitions, rows["b"].repetitions) == (6, 9)


def test_stages_that_were_always_run_together_are_divided_as_the_cost_model_thinks() -> None:
    a, b = Stage("a", 1e12, 1e3), Stage("b", 3e12, 1e3)
    device = load("orin-nano-4-clouds").topology.node("orin-nano").device
    rows = measured_stages({(a, b): [0.4, 0.5, 0.6]}, Roofline(), device)
    assert [row.median_s for row in rows] == pytest.approx([0.125, 0.375], rel=0.01)


def test_the_same_device_made_real_in_two_ways_is_measured_apart(
    scenarios: MakeScenarios,
) -> None:
    (chosen,) = scenarios("local")
    nodes = tuple(
        replace(n, device=chosen.topology.node("aws-t4").device) if n.device else n
        for n in chosen.topology.nodes
    )
    alike = replace(chosen.topology, nodes=nodes)
    names = device_names(alike, Deployment(nodes={"gcp-l4": NodeSpec(threads=2)}))
    assert names == {
        "orin-nano": "t4/orin-nano",
        "aws-t4": "t4/aws-t4",
        "gcp-l4": "t4/gcp-l4",
        "azure-a100": "t4/aws-t4",
        "coreweave-h100": "t4/aws-t4",
    }
    assert renamed(alike, names).node("azure-a100").device.name == "t4/aws-t4"
    assert device_names(chosen.topology, Deployment())["gcp-l4"] == "l4"


def test_a_frozen_world_comes_back_as_it_was(scenarios: MakeScenarios, tmp_path: Path) -> None:
    chosen = scenarios("sharded/deferred", "sharded/exact:clouds=3")
    world = fit_world(chosen[0], Deployment(), trained(chosen, Law()))
    freeze(world, tmp_path / "fitted")
    topology, cost = thaw(world, tmp_path / "fitted")
    assert topology == world.topology
    assert isinstance(cost, Calibrated)
    assert dict(cost.profiles) == dict(world.profiles)


def test_a_device_that_computed_nothing_in_training_is_named(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    chosen = scenarios("sharded/deferred:clouds=1")
    world = fit_world(chosen[0], Deployment(), trained(chosen, Law()))
    freeze(world, tmp_path)
    _, cost = thaw(world, tmp_path)
    far = chosen[0].topology.node("coreweave-h100").device
    with pytest.raises(
        ScenarioError, match=r"device 'h100-sxm' .* nothing in training; train with"
    ):
        cost.seconds(Stage("sam.windowed", 1.0, 1.0), far)


def test_a_fitted_row_is_the_median_of_what_was_seen(scenarios: MakeScenarios) -> None:
    chosen = scenarios("sharded/deferred:clouds=1")
    traces = [Elsewhere(Law(), cv=0.2, runs=day).run(chosen[0]) for day in range(3)]
    observed = services_s(traces, 2)
    ((name, by_stages),) = [(n, s) for n, s in observed.items() if n != "orin-nano"]
    ((_, seconds),) = by_stages.items()
    world = fit_world(chosen[0], Deployment(), {"x": traces})
    device = chosen[0].topology.node(name).device.name
    (row,) = world.profiles[device].rows
    assert row.median_s == pytest.approx(median(seconds), abs=1e-8)
    assert row.q1_s < row.median_s < row.q3_s
    assert fit("sam.windowed", [row]).worst_error == pytest.approx(0.0, abs=1e-6)
