"""What a transcript comes to, and a coalition's from its members'."""

import gc
from weakref import ref

import numpy as np
import pytest

from experiments.laboratory.attacks.held import Held
from experiments.laboratory.attacks.transcripts import Transcript


def numbers(rows: int, features: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, features)).astype(np.float32)


def test_components_hold_all_distances_and_leave_out_what_never_varies():
    held = numbers(9, 5000)
    held[:, 7] = 3
    known = Transcript.of_numbers(held)
    scores = known.scores(known.components)
    assert scores.shape == (9, 8)
    assert (scores**2).sum(axis=0) == pytest.approx(known.components.variances)
    assert (scores**2).sum() == pytest.approx(9 * 4999)
    changed = held.copy()
    changed[:, 7] = 99
    assert Transcript.of_numbers(changed).scores(known.components) == pytest.approx(scores)


@pytest.mark.parametrize("features", [(3, 4), (300, 5000)])
def test_members_together_are_as_one_who_holds_it_all(features: tuple[int, int]):
    """By features where those are few, by pictures where they are many."""
    known, others = (
        [numbers(rows, each, seed + each) for each in features] for seed, rows in ((0, 20), (1, 6))
    )
    whole, held = (Transcript.of_numbers(np.concatenate(each, 1)) for each in (known, others))
    parts, rest = (
        Transcript.of_numbers(one).joined(Transcript.of_numbers(other))
        for one, other in (known, others)
    )
    np.testing.assert_array_equal(parts.numbers, whole.numbers)
    assert parts.components.variances == pytest.approx(whole.components.variances)
    found, wanted = rest.scores(parts.components), held.scores(whole.components)
    assert np.abs(found) == pytest.approx(np.abs(wanted))  # the sign of a component is free


def test_products_are_remembered_and_forgotten_with_what_they_are_with():
    one, other = Held(numbers(5, 40)), Held(numbers(7, 40, 1))
    found = one.products(other)
    assert found.shape == (5, 7)
    assert one.products(other) is found
    gone = ref(other)
    del other
    gc.collect()
    assert gone() is None


def test_some_of_the_pictures_are_rows_of_every_member():
    both = Transcript.of_numbers(numbers(5, 3)).joined(Transcript.of_numbers(numbers(5, 4, 1)))
    np.testing.assert_array_equal(both.of(slice(1, 3)).numbers, both.numbers[1:3])
    assert len(both.of([0, 4])) == 2
