"""Goals and limits judge rows of figures, and one without the figure is the worst."""

from math import inf, nan

import numpy as np
import pytest

from experiments.metrics import replication_metrics
from experiments.searches.goal import FIGURES, Goal, Limit, parse_goal, parse_limit
from sim.errors import ScenarioError


def test_some_figures_are_better_the_greater() -> None:
    assert not parse_goal("p99_s").greatest
    assert parse_goal("deadline_met").greatest


def test_a_value_is_there_only_where_a_cell_has_one() -> None:
    goal = Goal("p99_s")
    assert goal.value({"error": "", "p99_s": 0.2}) == 0.2
    for row in ({"error": "no", "p99_s": 0.2}, {"error": "", "p99_s": nan}, {"error": ""}):
        assert goal.value(row) is None


def test_excess_is_in_parts_of_the_bound() -> None:
    at_most, at_least = parse_limit("pixels<=10%"), parse_limit("deadline_met >= 0.8")
    assert at_most == Limit("pixels", 0.1, at_least=False)
    assert at_most.excess({"error": "", "pixels": 0.15}) == pytest.approx(0.5)
    assert at_most.excess({"error": "", "pixels": 0.1}) == 0
    assert at_least.excess({"error": "", "deadline_met": 0.6}) == pytest.approx(0.25)
    assert parse_limit("pixels<=0").excess({"error": "", "pixels": 0.2}) == 0.2
    assert at_most.excess({"error": "no"}) == inf


def test_all_that_a_replication_measures_can_be_asked_for() -> None:
    empty = {name: np.zeros(1) for name in (
        "request", "latency_s", "end_s", "arrival_s", "bytes_up", "bytes_down", "energy_j",
        "cost_usd", "pixels_max_node", "pixels_max_pair", "mixes", "tokens", "first_token_s",
        "token_gap_s",
    )}  # fmt: skip
    words = {"outcome": np.array(["finished"], dtype=object)}
    table = {**empty, **words, "tokens": np.ones(1), "latency_s": np.ones(1)}
    assert set(replication_metrics(table, 0, 1.0)) == set(FIGURES) - {"pixels"}


@pytest.mark.parametrize(
    ("parse", "text", "complaint"),
    [
        (parse_goal, "p99", "--goal 'p99': no figure 'p99'; did you mean 'p99_s'"),
        (parse_limit, "pixels", "write it as FIGURE<=NUMBER"),
        (parse_limit, "pixels<0.1", "write it as FIGURE<=NUMBER"),
        (parse_limit, "pixels<=1-2", "write it as FIGURE<=NUMBER"),
        (parse_limit, "pixel<=0.1", "did you mean 'pixels'"),
    ],
)
def test_what_is_none_is_refused(parse: object, text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        parse(text)  # type: ignore[operator]
