"""What a request costs is what its steps are charged with, told apart by who draws it."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import what_a_request_costs
from experiments.questions.what_a_request_costs import per_request
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.tables import Tables

from .conftest import Pictured


def test_parts_add_up_to_what_requests_are_charged(scenario: str) -> None:
    trace = Simulator().run(load(scenario, (), "sharded/deferred"))
    found = per_request(trace, 2)
    counted = Tables(trace).requests().query("request >= 2")
    drawn_j = found["device_j"] + found["network_j"] + found["clouds_j"]
    assert drawn_j == pytest.approx(counted["energy_j"].mean())
    assert min(found.values()) > 0
    assert found["milli_usd"] == pytest.approx(1e3 * counted["cost_usd"].mean())
    assert found["carbon_g"] == pytest.approx(counted["carbon_g"].mean())


def test_what_stays_at_the_edge_costs_its_energy_and_nothing_else(scenario: str) -> None:
    found = per_request(Simulator().run(load(scenario, (), "local")), 0)
    assert found["device_j"] > 0
    assert (found["network_j"], found["clouds_j"], found["milli_usd"]) == (0, 0, 0)


def test_policies_are_drawn_side_by_side(
    scenario: str, figure: Path, pictured: Pictured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what_a_request_costs, "POLICIES", ("local", "offload"))
    what_a_request_costs.main(scenario, figure, 1)
    pictured(1300, 188)
