"""Rounds of a token loop: how many positions each part runs, and the tokens that come of it.

A round runs the ``new`` positions that are not in the caches yet on top of the ``past`` ones. The
first reads the prompt; then there is one round per token, or, with lookahead, one per few: the
edge drafts tokens, one trip verifies them all, and those it would have chosen itself are kept.
"""

from dataclasses import dataclass
from math import floor
from typing import Literal


@dataclass(frozen=True, slots=True)
class Round:
    """One trip edge → middle → edge.

    The edge runs ``new`` positions after ``past``. The middle is sent ``sent`` positions to run
    after ``sent_past`` (more than the edge's where it has to catch up); what comes back are the
    edge's ``new`` ones. ``tokens`` of the answer are there at its end; 0 while it reads a prompt
    piece by piece.
    """

    new: int
    past: int
    sent: int
    sent_past: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How a text is cut into rounds.

    ``chunk`` positions of the prompt at a time (0: all at once); ``lookahead`` tokens kept per
    round trip on average, of ``draft`` drafted and one that is always right; ``resend`` the whole
    prefix every time, with nothing cached, or the new positions only.
    """

    chunk: int = 0
    lookahead: float = 1.0
    draft: int = 4
    resend: Literal["new", "prefix"] = "new"


def rounds(pace: Pace, prompt: int, output: int, done: int = 0) -> tuple[Round, ...]:
    """Return the rounds that are left of ``output`` tokens after a prompt, ``done`` being there.

    After an interruption the edge's caches stand and those of the middle are gone: the first round
    sends every position once more.

    >>> [(each.sent, each.tokens) for each in rounds(Pace(lookahead=2.5), 16, 8)]
    [(16, 1), (5, 2), (5, 3), (2, 2)]
    """
    if pace.resend == "prefix":
        return tuple(_afresh(prompt + each) for each in range(done, output))
    found: list[Round] = []
    if not done:
        found = _reading(prompt, pace.chunk)
        done = 1
    elif done < output:
        found = [Round(1, prompt + done - 1, prompt + done, 0, 1)]
        done += 1
    new = 1 if pace.lookahead == 1.0 else pace.draft + 1
    trip = 0
    while done < output:
        past = prompt + done - 1
        size = min(new, output - done)
        tokens = min(_kept(pace.lookahead, trip), size)
        found.append(Round(size, past, size, past, tokens))
        done, trip = done + tokens, trip + 1
    return tuple(found)


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


def _kept(lookahead: float, trip: int) -> int:
    """Return the tokens kept of one trip: whole numbers that come to ``lookahead`` on average."""
    return floor((trip + 1) * lookahead) - floor(trip * lookahead)
