"""When tokens came, against cases small enough to do by hand."""

import numpy as np
import pytest

from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.tables import Tables
from sim.tokens import token_times
from tests.conftest import MakeScenario, Scripted
from workloads.stage import Payload, Stage

TWO = Payload("token", tokens=2, fixed_bytes=8.0)


def work(seconds: float, tokens: int = 0) -> Stage:
    makes = Payload("token", tokens=tokens) if tokens else None
    return Stage("tail", seconds * 1e12, 0.0, makes=makes)


def row_of(make_scenario: MakeScenario, *steps) -> dict[str, float]:
    scenario = make_scenario(Scripted((Plan(steps),)), arrivals_s=(5.0,))
    (row,) = Tables(Simulator().run(scenario)).requests().to_dict(orient="records")
    return row


def test_tokens_chosen_at_the_origin_are_there_when_the_choice_is(make_scenario) -> None:
    row = row_of(
        make_scenario,
        Compute("edge", (work(0.5, 1),)),
        Compute("edge", (work(0.2, 3),), (0,)),
        Compute("edge", (work(0.1),), (1,)),
    )
    assert row["tokens"] == 4
    assert row["first_token_s"] == pytest.approx(0.5)
    assert row["token_gap_s"] == pytest.approx(0.2 / 3)
    assert row["latency_s"] == pytest.approx(0.8)


def test_tokens_chosen_elsewhere_are_there_when_they_arrive(make_scenario) -> None:
    row = row_of(
        make_scenario,
        Compute("a", (work(1.0, 2),)),
        Transfer("a", "edge", TWO, after=(0,)),
        Transfer("edge", "b", TWO),
    )
    assert row["tokens"] == 2
    assert row["first_token_s"] == pytest.approx(0.5 + 0.03 + 8e-6, rel=1e-3)
    assert np.isnan(row["token_gap_s"])


def test_where_nothing_is_written_there_is_nothing_to_tell(make_scenario) -> None:
    row = row_of(make_scenario, Compute("edge", (work(0.5),)))
    assert row["tokens"] == 0
    assert np.isnan(row["first_token_s"])
    assert np.isnan(row["token_gap_s"])


def test_each_request_has_its_own_times() -> None:
    came = {"rank": [2, 0, 2, 0], "end_s": [9.0, 1.0, 8.0, 4.0], "tokens": [1, 1, 5, 2]}
    columns = {name: np.array(values) for name, values in came.items()}
    found = token_times(columns, np.array([0.5, 1.0, 6.0]))
    assert found["tokens"].tolist() == [3, 0, 6]
    assert found["first_token_s"] == pytest.approx([0.5, np.nan, 2.0], nan_ok=True)
    assert found["token_gap_s"] == pytest.approx([1.5, np.nan, 1.0], nan_ok=True)
