"""A split Llama over 85 ms writes as fast as the law and the simulator say."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("grpc")

from experiments.questions.token_law import measured
from tests.emulating import less_hurried, why_not

TOKENS = 16
DILATIONS = (8.0, 12.0, 18.0, 27.0)


@pytest.mark.long
def test_a_token_takes_a_round_trip_and_guesses_that_hold_come_for_nothing() -> None:
    if reason := why_not():
        pytest.skip(reason)
    plain, guessed = less_hurried(lambda slower: list(measured(TOKENS, slower)), DILATIONS)
    assert plain.yielded == 1.0
    assert plain.simulated == pytest.approx(plain.law, rel=0.02)
    assert plain.emulated >= 0.95 * plain.law
    assert guessed.yielded > 1.8
    assert guessed.emulated >= 1.8 * plain.emulated
    for row in (plain, guessed):
        assert row.simulated == pytest.approx(row.emulated, rel=0.05)
