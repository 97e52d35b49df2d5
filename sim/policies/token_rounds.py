"""Rounds of a token loop: how many positions each part runs, and the tokens that come of it.

A round runs the ``new`` positions that are not in the caches yet on top of the ``past`` ones. The
first reads the prompt; then there is one round per token, or, with guesses, one per few: the edge
guesses tokens, one trip checks them all, and those that it would have chosen itself are kept. How
many these are only the run can tell, so what follows such a round is planned after it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Round:
    """One trip edge → middle → edge.

    The edge runs ``new`` positions after ``past``. The middle is sent ``sent`` positions to run
    after ``sent_past`` (more than the edge's where it has to catch up); what comes back are the
    edge's ``new`` ones. ``tokens`` of the answer are there at its end, or up to so many where the
    last ``guesses`` positions hold guesses; 0 while it reads a prompt piece by piece.
    """

    new: int
    past: int
    sent: int
    sent_past: int
    tokens: int
    guesses: int = 0

    def first_token(self, prompt: int) -> int:
        """Return the place in the answer of the first token that comes of it."""
        return self.past + self.new - self.tokens + 1 - prompt


@dataclass(frozen=True, slots=True)
class Pace:
    """How a text is cut into rounds.

    ``chunk`` positions of the prompt at a time (0: all at once); ``draft`` tokens are guessed for
    each trip; ``resend`` the whole prefix every time, with nothing cached, or the new positions
    only. ``may_end`` says that any token may end the answer.
    """

    chunk: int = 0
    draft: int = 0
    resend: Literal["new", "prefix"] = "new"
    may_end: bool = False


def rounds(
    pace: Pace, prompt: int, output: int, done: int = 0, *, cached: bool = True
) -> tuple[Round, ...]:
    """Return the next rounds towards ``output`` tokens after a prompt, ``done`` being there.

    They are all that are left, or those up to the first of which the run decides what follows.
    Where the middle's caches are gone (not ``cached``) the first sends every position once more.

    >>> [(each.sent, each.tokens) for each in rounds(Pace(), 16, 3)]
    [(16, 1), (1, 1), (1, 1)]
    >>> [(each.sent, each.tokens) for each in rounds(Pace(draft=4), 16, 8)]
    [(16, 1), (5, 5)]
    """
    if pace.resend == "prefix":
        every = tuple(_afresh(prompt + each) for each in range(done, output))
        return every[:1] if pace.may_end else every
    found: list[Round] = []
    if not done:
        found = _reading(prompt, pace.chunk)
        done = 1
    elif done < output and not cached:
        found = [Round(1, prompt + done - 1, prompt + done, 0, 1)]
        done += 1
    if pace.may_end and found:
        return tuple(found)
    while done < output:
        past, size = prompt + done - 1, min(pace.draft + 1, output - done)
        found.append(Round(size, past, size, past, size, size - 1))
        done += 1
        if pace.draft or pace.may_end:
            break
    return tuple(found)


def ends(trips: tuple[Round, ...], prompt: int, output: int) -> bool:
    """Whether an answer of ``output`` tokens is there for certain once these rounds are over."""
    if not trips:
        return True
    last = trips[-1]
    return not last.guesses and last.first_token(prompt) + last.tokens == output


def _afresh(positions: int) -> Round:
    return Round(positions, 0, positions, 0, 1)


def _reading(prompt: int, chunk: int) -> list[Round]:
    size = chunk or prompt
    starts = range(0, prompt, size)
    pieces = [(start, min(size, prompt - start)) for start in starts]
    return [
        Round(length, start, length, start, int(start + length == prompt))
        for start, length in pieces
    ]
