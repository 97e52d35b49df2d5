"""What axes mean: every combination once, and none for policies they are not of."""

import pytest

from experiments.sweeps.axes import Axis, cells, parse_axis, settings_of
from sim.errors import ScenarioError


def test_every_combination_is_a_cell_the_last_axis_quickest() -> None:
    found = cells(["a", "b"], [Axis("x", ("1", "2")), Axis("y", ("3", "4"))])
    assert [cell.number for cell in found] == list(range(8))
    assert [(c.policy, *(v for _, v in c.at)) for c in found[:3]] == [
        ("a", "1", "3"), ("a", "1", "4"), ("a", "2", "3")
    ]  # fmt: skip
    assert settings_of(found[0], ["a", "b"]) == ["x=1", "y=3"]


def test_an_axis_in_braces_is_a_policys_own() -> None:
    policies = ["sharded/deferred:clouds={n}", "local"]
    found = cells(policies, [Axis("n", ("1", "2")), Axis("view_age", ("0s",))])
    assert [(cell.policy, dict(cell.at)) for cell in found] == [
        ("sharded/deferred:clouds=1", {"n": "1", "view_age": "0s"}),
        ("sharded/deferred:clouds=2", {"n": "2", "view_age": "0s"}),
        ("local", {"n": "", "view_age": "0s"}),
    ]
    assert settings_of(found[0], policies) == ["view_age=0s"]


@pytest.mark.parametrize("text", ["x", "=1", "x=", "x=1,,2", "x=1,1"])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="--axis"):
        parse_axis(text)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ScenarioError, match="give each policy by --policy"):
        cells(["a"], [Axis("policy", ("b",))])
    with pytest.raises(ScenarioError, match="--axis x: is given twice"):
        cells(["a"], [Axis("x", ("1",)), Axis("x", ("2",))])
    with pytest.raises(ScenarioError, match=r"there is no axis 'n'"):
        cells(["a:b={n}"], [])
    with pytest.raises(ScenarioError, match=r"--policy 'a:\{'"):
        cells(["a:{"], [])
