"""Guessing what comes next by what came next before: n-gram lookup, which needs no model.

After prompt lookup decoding (Saxena 2023) and the n-gram drafts of Fu et al. 2024 (arXiv
2402.02057): where the last tokens of a text stood before, what followed them then is guessed.
"""

from collections.abc import Sequence

LONGEST = 3
"""So many tokens are looked up first, then fewer."""


class Lookup:
    """Remembers where each run of up to `LONGEST` tokens of a text stood last."""

    def __init__(self) -> None:
        self._ends: dict[tuple[int, ...], int] = {}
        self._text: list[int] = []

    def guess(self, text: Sequence[int], count: int) -> list[int]:
        """Return ``count`` guesses of what follows ``text``; its last token where none is known.

        Only what is new in the text since the last call is looked at.
        """
        self._learn(text)
        guesses: list[int] = []
        while len(guesses) < count:
            found = self._following([*text[-LONGEST:], *guesses], count - len(guesses))
            guesses += found or [guesses[-1] if guesses else text[-1]]
        return guesses

    def _following(self, recent: Sequence[int], count: int) -> list[int]:
        for length in range(min(LONGEST, len(recent)), 0, -1):
            end = self._ends.get(tuple(recent[-length:]))
            if end is not None:
                return self._text[end : end + count]
        return []

    def _learn(self, text: Sequence[int]) -> None:
        """Note the runs that end before the last token: after these it is known what came."""
        if self._text != list(text[: len(self._text)]):
            self._ends.clear()
            self._text.clear()
        for end in range(max(len(self._text), 1), len(text)):
            for length in range(1, min(LONGEST, end) + 1):
                self._ends[tuple(text[end - length : end])] = end
        self._text = list(text)
