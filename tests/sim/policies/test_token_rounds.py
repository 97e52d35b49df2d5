"""Rounds of a text: every position once and in order, as many tokens as were asked for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sim.policies.token_rounds import Pace, ends, rounds

KEPT = st.builds(Pace, st.integers(0, 9), st.integers(0, 6), may_end=st.booleans())
RESENT = st.builds(Pace, resend=st.just("prefix"), may_end=st.booleans())
PROMPTS = st.integers(1, 40)
OUTPUTS = st.integers(1, 30)


@given(KEPT, PROMPTS, OUTPUTS, st.integers(0, 30), st.booleans())
def test_positions_follow_each_other_and_none_is_left_out(pace, prompt, output, done, cached):
    trips = rounds(pace, prompt, output, done, cached=cached)
    assert bool(trips) == (done < output)
    past = prompt + done - 1 if done else 0
    for number, trip in enumerate(trips):
        assert trip.past == past
        assert trip.new >= 1
        assert trip.sent_past + trip.sent == trip.past + trip.new, "all parts end at one position"
        catches_up = number == 0 and done > 0 and not cached
        assert trip.sent_past == (0 if catches_up else trip.past)
        assert trip.guesses in (0, trip.tokens - 1)
        past += trip.new
    assert past - trips[-1].guesses <= prompt + output - 1 if trips else True


@given(KEPT, PROMPTS, OUTPUTS)
def test_a_prompt_is_read_in_pieces_and_its_last_one_makes_the_first_token(pace, prompt, output):
    reading = [trip for trip in rounds(pace, prompt, output) if trip.past < prompt]
    assert sum(trip.new for trip in reading) == prompt
    assert [trip.tokens for trip in reading] == [0] * (len(reading) - 1) + [1]
    assert all(trip.new == (pace.chunk or prompt) for trip in reading[:-1])
    assert reading[-1].first_token(prompt) == 0


@given(
    KEPT | RESENT, PROMPTS, OUTPUTS, st.sampled_from(["all", "one"]), st.integers(0, 5),
    st.booleans(),
)  # fmt: skip
def test_tokens_add_up_whether_all_guesses_hold_or_none(pace, prompt, output, hold, done, cached):
    done = min(done, output)
    places = list(range(done))
    for _ in range(output + 1):
        trips = rounds(pace, prompt, output, len(places), cached=cached)
        over = ends(trips, prompt, output)
        for trip in trips:
            assert not trip.tokens or trip.first_token(prompt) == len(places)
            places += range(
                len(places), len(places) + (trip.tokens if hold == "all" else min(1, trip.tokens))
            )
        assert not over or len(places) == output, "it ends for certain only where it does"
        if not trips:
            break
        cached = True
    assert places == list(range(output))
    assert over


@given(RESENT, PROMPTS, OUTPUTS, st.integers(0, 30))
def test_sent_again_every_round_is_the_whole_text_so_far(pace, prompt, output, done):
    trips = rounds(pace, prompt, output, done)
    assert all((trip.new, trip.past) == (trip.sent, 0) for trip in trips)
    assert all(b.sent == a.sent + 1 for a, b in pairwise(trips))
    if trips:
        assert trips[0].sent == prompt + done


@given(KEPT | RESENT, PROMPTS, OUTPUTS, st.integers(0, 30), st.booleans())
def test_nothing_is_planned_beyond_what_only_the_run_can_tell(pace, prompt, output, done, cached):
    trips = rounds(pace, prompt, output, done, cached=cached)
    assert not any(trip.guesses for trip in trips[:-1])
    if pace.may_end:
        assert sum(trip.tokens > 0 for trip in trips) <= 1
    elif not pace.draft:
        assert sum(trip.tokens for trip in trips) == max(0, output - done)
        assert ends(trips, prompt, output)
