"""What computations make of an answer on the way: tokens, and pictures of how far it is."""

from typing import Any

from real_runner.orchestration.answers import PREVIEW, Answers, Listeners
from real_runner.orchestration.flight import Flight
from sim.checks import Checks
from sim.plan import Compute, Transfer
from workloads.llama.model import TOKEN_BYTES, Llama
from workloads.stage import Request


class Writing:
    """Notes the tokens that come of each step, and tells ``listeners``.

    Nodes ``modelled`` write no real text: there ``checks`` say how many guesses hold, as in the
    simulator.
    """

    def __init__(
        self, checks: Checks, modelled: frozenset[str], answers: Answers, listeners: Listeners
    ) -> None:
        self._checks = checks
        self._modelled = modelled
        self._answers = answers
        self._written = listeners.written
        self._computed = listeners.computed

    def computed(self, flight: Flight, index: int, message: Any) -> None:
        """Take what a finished computation has made."""
        step = flight.plan.steps[index]
        assert isinstance(step, Compute)  # noqa: S101 - for mypy
        flight.course.ended = flight.course.ended or message.ended
        if step.tokens > 1 and index not in flight.course.made:
            tokens = len(message.tokens)
            if step.node in self._modelled:
                tokens = self._checks.kept(flight.request, step.tokens)
            flight.course.note_made(index, tokens)
        if message.tokens and self._written is not None:
            self._written(flight.request, _place(flight, step), tuple(message.tokens))
        for stage in step.stages:
            if self._computed is not None:
                self._computed(flight.request, stage)
            made = stage.makes
            if made is not None and made.tensor == PREVIEW and step.node == flight.request.origin:
                self._answers.show(flight.request, made)

    def carried(self, flight: Flight, index: int, size_bytes: int) -> None:
        """Take tokens that arrived before it was heard that they had been made."""
        step = flight.plan.steps[index]
        if not isinstance(step, Transfer) or step.tokens <= 1:
            return
        for early in step.after:
            before = flight.plan.steps[early]
            if isinstance(before, Compute) and before.tokens and early not in flight.course.made:
                tokens = size_bytes // TOKEN_BYTES
                if before.node in self._modelled:
                    tokens = self._checks.kept(flight.request, before.tokens)
                flight.course.note_made(early, tokens)

    def forget(self, request: Request) -> None:
        """Forget a request that has ended."""
        self._checks.forget(request)


def _place(flight: Flight, step: Compute) -> int:
    """Return the place in the answer of the first token that a step chose."""
    model = flight.request.model
    assert isinstance(model, Llama)  # noqa: S101 - nothing else makes tokens
    end = next(stage.positions[1] for stage in reversed(step.stages) if stage.makes)
    return end - step.tokens + 1 - model.prompt_tokens
