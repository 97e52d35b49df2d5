"""Guesses by what came next before: right where a text repeats itself, harmless elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from real_runner.shards.llama.lookup import LONGEST, Lookup

TEXTS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@pytest.mark.parametrize("period", [1, 2, 3, 7])
def test_what_repeats_itself_is_guessed_right_as_far_as_asked(period):
    text = list(range(10, 10 + period)) * 20
    for length in range(period + LONGEST, 3 * period + LONGEST):
        assert Lookup().guess(text[:length], 12) == text[length : length + 12]


def test_the_latest_of_several_places_and_the_longest_of_several_runs_is_taken():
    assert Lookup().guess([1, 2, 5, 1, 2, 6, 1, 2], 1) == [6]
    assert Lookup().guess([9, 1, 2, 5, 8, 1, 2, 6, 9, 1, 2], 1) == [5]


def test_where_nothing_is_known_the_last_token_is_guessed():
    assert Lookup().guess([1], 3) == [1, 1, 1]
    assert Lookup().guess([1, 2, 3, 4], 2) == [4, 4]


@given(TEXTS, st.integers(1, 8))
def test_any_text_has_as_many_guesses_as_asked_of_tokens_that_it_has(text, count):
    guesses = Lookup().guess(text, count)
    assert len(guesses) == count
    assert set(guesses) <= set(text)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), TEXTS), max_size=6), st.integers(1, 6))
def test_a_text_that_grows_and_is_cut_back_is_guessed_as_if_it_were_new(text, changes, count):
    lookup = Lookup()
    for keep, more in changes:
        lookup.guess(text, count)
        text = text[:keep] + more
    assert lookup.guess(text, count) == Lookup().guess(text, count)
