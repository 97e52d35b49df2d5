"""What became of requests lately, for policies that learn while they serve.

Every runner keeps one `Endings` per run and hands what is in it out with each view, so a policy
that learns stays a frozen value: all that it has learnt follows from what it is shown.
"""

from collections import deque
from typing import Final

from sim.plan import Plan
from sim.policy import Ending, Policy
from sim.trace import Outcome
from workloads.stage import Request

REMEMBERED: Final = 512
"""The last so many; who learns from a window of them adapts when the world changes."""


class Endings:
    """The last requests that ended, if ``policy`` reads them (``reads_endings``)."""

    __slots__ = ("_choices", "_last", "kept")

    def __init__(self, policy: Policy) -> None:
        self.kept: bool = getattr(policy, "reads_endings", False)
        self._choices: dict[int, str] = {}
        self._last: deque[Ending] = deque(maxlen=REMEMBERED)

    def planned(self, request: Request, plan: Plan) -> None:
        """Note what was chosen for a request; its first plan counts."""
        if self.kept:
            self._choices.setdefault(request.index, plan.choice)

    def ended(self, outcome: Outcome) -> None:
        """Note how a request ended."""
        if self.kept:
            request = outcome.request
            choice = self._choices.pop(request.index, "")
            ending = Ending(choice, request.arrival_s, outcome.end_s, outcome.outcome)
            self._last.append(ending)

    @property
    def last(self) -> tuple[Ending, ...]:
        """What is remembered now, in the order in which requests ended."""
        return tuple(self._last)
