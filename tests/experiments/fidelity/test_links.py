"""Fitting links to transfers whose links are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.fidelity.fit import transfers
from experiments.fidelity.links import fit_links, least_absolute
from experiments.fidelity.loads import fair_loads
from sim.errors import ScenarioError
from sim.runner import Scenario
from tests.experiments.fidelity.conftest import (
    MESSAGE_BYTES,
    Elsewhere,
    MakeScenarios,
    other_links,
)
from topologies.schedules import Schedule
from topologies.topology import Topology

TRAINING = ("sharded/deferred", "sharded/exact:clouds=3", "sharded/image:clouds=2", "offload")


def measured(scenarios: list[Scenario]) -> pd.DataFrame:
    return transfers([Elsewhere().run(scenario) for scenario in scenarios])


def test_delays_shared_rates_and_costs_of_messages_are_recovered(scenarios: MakeScenarios) -> None:
    chosen = scenarios(*TRAINING)
    fitted = fit_links(chosen[0].topology, measured(chosen))
    truth = other_links(chosen[0].topology)
    assert len(fitted.routes) >= 4
    for route in fitted.routes:
        true = truth.route(route.source, route.target)
        narrowest = min(truth.channels[channel].rate_bits_per_s for channel in true.channels)
        assert route.median_error < 0.01
        assert route.delay_s == pytest.approx(true.delay_s, rel=0.02)
        assert route.bits_per_s == pytest.approx(narrowest, rel=0.02)
        dear = MESSAGE_BYTES if route.source == "orin-nano" else 0
        assert route.message_bytes == pytest.approx(dear, rel=0.03, abs=50)
        assert route.coding_bytes == pytest.approx(dear / 2, rel=0.05, abs=100)


def test_a_few_transfers_that_took_far_too_long_change_nothing(scenarios: MakeScenarios) -> None:
    chosen = scenarios(*TRAINING)
    steps = measured(chosen)
    sent = np.flatnonzero(steps["kind"] == "transfer")
    late = steps.copy()
    late.loc[sent[::15], "end_s"] += 0.01
    truth = other_links(chosen[0].topology)
    for route in fit_links(chosen[0].topology, late).routes:
        true_s = truth.route(route.source, route.target).delay_s
        assert route.delay_s == pytest.approx(true_s, rel=0.15)


def test_a_link_that_nothing_took_stays_as_it_was(scenarios: MakeScenarios) -> None:
    (chosen,) = scenarios("sharded/image:clouds=1")
    steps = measured([chosen])
    (cloud,) = set(steps["target"][steps["kind"] == "transfer"]) - {"orin-nano"}
    fitted = fit_links(chosen.topology, steps).topology
    for before, after in zip(chosen.topology.links, fitted.links, strict=True):
        taken = before.target in {"isp", cloud}
        assert (before == after) is not taken


def test_without_transfers_there_is_nothing_to_fit(scenarios: MakeScenarios) -> None:
    chosen = scenarios("local")
    with pytest.raises(ScenarioError, match="nothing was transferred; train with a policy"):
        fit_links(chosen[0].topology, measured(chosen))


def test_a_link_that_changes_with_time_is_refused(scenarios: MakeScenarios) -> None:
    (chosen,) = scenarios("offload")
    first, *others = chosen.topology.links
    changing = Topology(
        "changing",
        chosen.topology.nodes,
        (replace(first, schedule=Schedule((0.0, 1.0), (1e6, 2e6))), *others),
    )
    with pytest.raises(ScenarioError, match=r"orin-nano->isp changes with time"):
        fit_links(changing, measured([chosen]))


def test_what_ran_together_shared_alike() -> None:
    start, parts = np.array([0.0, 1.0, 9.0]), np.array([[3.0, 1.0, 0.0]] * 2 + [[2.0, 1.0, 1.0]])
    moved, messages, codings = fair_loads(start, parts, 2.0).T
    assert moved.tolist() == pytest.approx([4.5, 4.5, 2.0])
    assert messages.tolist() == pytest.approx([1.5, 1.5, 1.0])
    assert codings.tolist() == [0.0, 0.0, 1.0]


def test_the_least_absolute_errors_ignore_a_third_that_are_off() -> None:
    sizes = np.linspace(1.0, 9.0, 30)
    taken = 0.5 + 2.0 * sizes
    taken[::3] *= 4
    matrix = np.column_stack([np.ones(30), sizes])
    assert least_absolute(matrix, taken) == pytest.approx([0.5, 2.0], rel=0.01)
