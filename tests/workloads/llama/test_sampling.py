import pytest

from workloads.errors import WorkloadError
from workloads.llama.sampling import GREEDY, Sampling


def test_the_likeliest_token_is_taken_and_no_end_is_looked_for_unless_asked():
    assert Sampling() == GREEDY
    assert (GREEDY.temperature, GREEDY.top_p, GREEDY.stop) == (0.0, 1.0, False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": -0.1}, "temperature: -0.1; give 0 .the likeliest. or more"),
        ({"temperature": float("inf")}, "temperature: inf; give 0"),
        ({"temperature": float("nan")}, "temperature: nan; give 0"),
        ({"top_p": 0.0}, "top_p: 0.0; give above 0, at most 1"),
        ({"top_p": 1.5}, "top_p: 1.5; give above 0, at most 1"),
        ({"top_p": float("nan")}, "top_p: nan; give above 0, at most 1"),
    ],
)
def test_impossible_values_are_errors(values, words):
    with pytest.raises(WorkloadError, match=rf"text\.sampling\.{words}"):
        Sampling(**values)
