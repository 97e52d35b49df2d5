"""ROUGE-L of tokens, against values by hand."""

from importlib.util import find_spec

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.text.rouge import rouge_l


@pytest.mark.skipif(not find_spec("torchmetrics"), reason="pip install 'tessera[lab]'")
@pytest.mark.parametrize(
    ("guess", "truth", "expected"),
    [
        ([7, 8, 9], [7, 8, 9], 1.0),
        ([1, 2, 3], [4, 5, 6], 0.0),
        ([0, 7, 8, 9], [7, 8, 9, 0], 0.75),  # three of four, though none is in its place
        ([7, 9], [7, 8, 9, 5], 2 / 3),  # precision 1, recall a half
        ([12], [1, 2], 0.0),  # tokens, not digits
        ([], [], 1.0),
        ([], [1], 0.0),
    ],
)
def test_it_is_the_f_measure_of_the_longest_common_subsequence(guess, truth, expected):
    assert rouge_l(guess, truth) == pytest.approx(expected, abs=1e-6)
