"""A conversation with a Llama of a scenario: what is said so far is the prompt of each answer."""

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from experiments.asking import finished, note, typed
from sim.runner import Runner, Scenario
from sim.tables import Tables
from workloads.llama.model import Llama
from workloads.llama.text import Tokenizer
from workloads.stage import Request

if TYPE_CHECKING:
    from real_runner.orchestration.prompts import Asked


class Conversation:
    """A conversation with the ``llama`` of a scenario, whose policy decides who holds what."""

    def __init__(self, scenario: Scenario, llama: Llama, tokenizer: Tokenizer, seed: int) -> None:
        self._scenario = scenario
        self._llama = llama
        self._tokenizer = tokenizer
        self._seed = seed
        self._turns: list[str] = []
        self._prompt: list[int] = []
        self._answer: list[int] = []
        self._shown = ""
        self._waiting = Console(stderr=True).status("")

    def answer(self, text: str, runner: Runner) -> Tables:
        """Print the answer to ``text`` as it comes; return the tables of how it came.

        An answer that is interrupted is as long as it is. Raises `WorkloadError` where the model
        has too few positions for ``text`` alone: then it was not said.
        """
        turns, llama = self._fitting([*self._turns, typed(text)])
        self._answer, self._shown = [], ""
        workload = replace(self._scenario.workload, model=llama)
        try:
            with self._waiting:
                return finished(runner.run(replace(self._scenario, workload=workload)))
        finally:
            print(flush=True)
            self._turns = [*turns, self._tokenizer.decode(self._answer)]

    def asked(self, request: Request) -> "Asked":
        """Tell what is asked: the conversation so far."""
        from real_runner.orchestration.prompts import Asked  # noqa: PLC0415 - an extra

        return Asked(tuple(self._prompt[: request.model.captured.tokens]), self._seed)

    def written(self, request: Request, place: int, tokens: tuple[int, ...]) -> None:
        """Print what tokens add to the answer, as soon as they make whole characters."""
        del request
        self._waiting.stop()
        self._answer[place:] = tokens
        text = self._tokenizer.decode(self._answer)
        print(shown(text[len(self._shown) :]), end="", flush=True)
        self._shown = text

    def _fitting(self, turns: list[str]) -> tuple[list[str], Llama]:
        """Return the turns that the model has room for, and what is asked of it."""
        positions, longest = self._llama.architecture.positions, self._llama.output_tokens
        self._prompt = self._tokenizer.converse(turns)
        while len(turns) > 1 and len(self._prompt) + longest > positions:
            note(f"forgotten, since there are but {positions} positions: {turns[0]}")
            turns = turns[2:]
            self._prompt = self._tokenizer.converse(turns)
        room = max(1, min(longest, positions - len(self._prompt)))
        return turns, replace(self._llama, prompt_tokens=len(self._prompt), output_tokens=room)


def shown(text: str) -> str:
    """Return what a terminal may be given of what a model writes: no commands."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
