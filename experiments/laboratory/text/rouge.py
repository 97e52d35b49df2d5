"""ROUGE-L: how long a common subsequence is (Lin 2004, https://aclanthology.org/W04-1013)."""

from collections.abc import Sequence

from experiments.laboratory.packages import metric


def rouge_l(guess: Sequence[int], truth: Sequence[int]) -> float:
    """Return the F measure (β = 1) of the longest common subsequence of two rows of tokens.

    1 where they are equal, 0 where they share no token; an inserted or missing token costs little,
    where position by position all that follows it would be wrong.
    """
    if not len(guess) or not len(truth):
        return float(len(guess) == len(truth))
    found = metric("text", "rouge_score")(
        " ".join(map(str, guess)),
        " ".join(map(str, truth)),
        tokenizer=str.split,
        normalizer=str,
        rouge_keys="rougeL",
    )
    return float(found["rougeL_fmeasure"])
