"""The steps that ran, as plain columns: nothing that is known of a step is left out of them."""

import numpy as np
import pandas as pd

from sim.columns import columns_of, together
from sim.engine.simulator import Simulator
from sim.facts import StepFacts
from sim.plan import Compute, Plan
from sim.rows import Rows
from sim.tables import Tables
from tests.conftest import MakeScenario, Scripted
from workloads.stage import Stage

WORK = Plan((Compute("edge", (Stage("work", 1e12, 0.0),)),))


def test_every_fact_of_a_step_is_there_to_be_asked_for(make_scenario: MakeScenario) -> None:
    rows = Rows(Simulator().run(make_scenario(Scripted((WORK,)), arrivals_s=(0.0, 5.0))))
    for name in StepFacts.__dataclass_fields__:
        assert len(rows.facts(name)) == len(rows.steps) == 1
    assert rows.words("node").tolist() == ["edge", "edge"]
    assert {len(column) for column in rows.columns.values()} == {len(rows)} == {2}


def test_what_brings_no_work_has_no_rows(make_scenario: MakeScenario) -> None:
    tables = Tables(Simulator().run(make_scenario(Scripted((Plan(()),)))))
    for table in (tables.work(), tables.exposure_columns(), tables.holding_columns()):
        assert {len(column) for column in table.values()} == {0}
    assert tables.request_columns()["bytes_up"].tolist() == [0.0]


def test_frames_and_columns_say_the_same(make_scenario: MakeScenario) -> None:
    tables = Tables(Simulator().run(make_scenario(Scripted((WORK,)), arrivals_s=(0.0, 5.0))))
    columns, frame = tables.request_columns(), tables.requests()
    pd.testing.assert_frame_equal(pd.DataFrame(columns), frame[list(columns)])
    twice = together([columns_of(frame), columns_of(frame)])
    assert np.array_equal(twice["request"], [0, 1, 0, 1])
