"""What can be searched over: lists, and ranges with units, and nothing that is neither."""

import pytest

from experiments.searches.dimensions import Range, parse_dimension, size_of, values_of
from experiments.sweeps.axes import Axis
from sim.errors import ScenarioError


def test_lists_and_ranges_are_read() -> None:
    assert parse_dimension("codec=fp16,int8") == Axis("codec", ("fp16", "int8"))
    assert parse_dimension("clouds=1..16") == Range("clouds", 1, 16, "", whole=True)
    assert parse_dimension("margin=0..0.5") == Range("margin", 0, 0.5, "", whole=False)
    assert parse_dimension("view_age=0ms..200ms") == Range("view_age", 0, 200, "ms", whole=True)


def test_sizes_and_values_follow() -> None:
    sizes = {"codec=fp16,int8": 2, "clouds=1..16": 16, "margin=0..0.5": float("inf")}
    assert {text: size_of(parse_dimension(text)) for text in sizes} == sizes
    assert values_of(parse_dimension("view_age=0ms..200ms")) == ("0ms", "200ms")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("clouds", "--over 'clouds': write it as key=value"),
        ("clouds=2,2", "has a value twice"),
        ("clouds=4..1", "begin with the lesser number"),
        ("clouds=1..1", "begin with the lesser number"),
        ("age=0ms..1s", "give both ends in one unit"),
        ("x=1.2.3..4", "write numbers"),
        ("policy=local,offload", "policy is nothing to search over"),
        ("seed=1..9", "seed is nothing to search over"),
    ],
)
def test_what_is_neither_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        parse_dimension(text)
