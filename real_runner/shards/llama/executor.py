"""Llama on one node: an executor that runs head, middle or tail of any texts with real tensors."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from real_runner.deployment import NodeSpec
from real_runner.errors import StepError
from real_runner.executor import NOTHING, Array, Made, expected_shape, never
from real_runner.shards.arrays import DTYPES, bytes_of, device_of, numpy_of, tensor_of
from real_runner.shards.llama.checkpoint import Checkpoint
from real_runner.shards.llama.drafter import Drafter
from real_runner.shards.llama.layers import Layers, Segment
from real_runner.shards.llama.rows import Rows
from real_runner.shards.llama.sampling import choose
from real_runner.shards.llama.sessions import Session, Sessions
from workloads.llama.model import TOKEN_BYTES, Llama
from workloads.stage import Payload, Stage

Work = tuple[int, tuple[Stage, ...]]

_RUNS = ("llama.head", "llama.middle", "llama.tail", "llama.whole")
_EMBEDS, _CHOOSES = {"llama.head", "llama.whole"}, {"llama.tail", "llama.whole"}


class LlamaExecutor:
    """Implements `real_runner.executor.Executor` and ``run_together`` for one model.

    ``weights`` is what `real_runner.shards.llama.weights.prepare` returned; numbers are in the
    dtype and on the device of ``spec``. What travels besides hidden states: ``prompt`` and
    ``token``, numbers of tokens as little-endian int32; ``seed``, that of a text's luck, as uint64.
    Caches may take ``caches_bytes`` in all.

    Raises `RealRunError` where weights cannot be read or the device is not there.
    """

    def __init__(
        self, model: Llama, weights: Path, spec: NodeSpec, *, caches_bytes: float = inf
    ) -> None:
        self._model = model
        dtype, device = DTYPES[spec.dtype], device_of(spec)
        self._layers = Layers(model.architecture, Checkpoint(weights), dtype, device)
        self._drafter: Drafter | None = None
        if model.drafter is not None:
            guessing = Layers(model.drafter, Checkpoint(weights, drafter=True), dtype, device)
            self._drafter = Drafter(guessing, model.sampling)
        self._sessions = Sessions(caches_bytes)

    @property
    def loaded(self) -> tuple[int, ...]:
        """The layers that have been read so far."""
        return self._layers.loaded

    @property
    def held_bytes(self) -> int:
        """What the caches of all texts take."""
        return self._sessions.held_bytes

    def put(self, job: int, payload: Payload, array: Array) -> None:
        """Keep what has arrived."""
        with self._sessions.lock, torch.inference_mode():  # as what `run` leaves beside it
            session = self._sessions.of(job)
            match payload.tensor:
                case "prompt":
                    session.begin(self._tokens(payload, array))
                case "token":
                    session.write(payload.first, self._tokens(payload, array))
                case "seed":
                    if array.shape != (8,) or array.dtype != np.uint8:
                        raise StepError(f"seed: {array.dtype} of shape {array.shape}; give 8 bytes")
                    session.seed = int(array.view("<u8")[0])
                case "hidden":
                    rows = self._hidden(payload, array)
                    self._rows(session, payload.blocks_done).write(payload.first, rows)
                case _:
                    raise StepError(f"{payload.tensor}: no tensor of a Llama that a worker keeps")

    def get(self, job: int, payload: Payload) -> Array:
        """Return what ``payload`` names; of tokens those that are there."""
        with self._sessions.lock:
            session = self._sessions.of(job)
            match payload.tensor:
                case "prompt":
                    return _as_bytes(session.prompt)
                case "token":
                    found = session.answer[payload.first : payload.first + payload.tokens]
                    if not found:
                        raise StepError(f"token {payload.first} of the answer is not here")
                    return _as_bytes(found)
                case "hidden":
                    rows = self._rows(session, payload.blocks_done)
                    end = payload.first + payload.tokens
                    what = f"hidden states after {payload.blocks_done} layers"
                    found_rows = numpy_of(rows.read(payload.first, end, what))
                    return found_rows.reshape(expected_shape(payload))
                case _:
                    raise StepError(f"{payload.tensor}: no tensor of a Llama that a worker keeps")

    def run(self, job: int, stages: tuple[Stage, ...], stopped: Callable[[], bool] = never) -> Made:
        """Run the stages in order; the tokens that come of them are in the text already."""
        made = NOTHING
        with torch.inference_mode():
            for stage in stages:
                if stopped():
                    break
                (found,) = self._run([_Task(job, self._sessions.of(job), stage)])
                made = found or made
        return made or NOTHING

    def run_together(self, works: Sequence[Work]) -> list[Made]:
        """Run equal stages of several texts in one pass each; return what came of each text."""
        made: list[Made | None] = [None for _ in works]
        with torch.inference_mode():
            for stages in zip(*(stages for _, stages in works), strict=True):
                tasks = [
                    _Task(job, self._sessions.of(job), stage)
                    for (job, _), stage in zip(works, stages, strict=True)
                ]
                made = [new or old for new, old in zip(self._run(tasks), made, strict=True)]
        return [each or NOTHING for each in made]

    def forget(self, job: int) -> None:
        """Drop all that is kept for a request."""
        self._sessions.forget(job)

    def _run(self, tasks: "list[_Task]") -> list[Made | None]:
        """Run a stage of each text, all of the same layers; None where none is chosen."""
        with ExitStack() as turns:
            for task in sorted(tasks, key=lambda task: task.job):
                turns.enter_context(
                    task.session.turn
                )  # in order of jobs, lest two wait for each other
            return self._run_in_turn(tasks)

    def _run_in_turn(self, tasks: "list[_Task]") -> list[Made | None]:
        stage = tasks[0].stage
        if stage.kind == "llama.prepare":
            return [None for _ in tasks]
        if stage.kind == "llama.draft":
            for task in tasks:
                self._draft(task)
            return [None for _ in tasks]
        if stage.kind not in _RUNS:
            known = ", ".join(("llama.prepare", "llama.draft", *_RUNS))
            raise StepError(f"{stage.kind}: no stage of a Llama; known are {known}")
        if stage.kind not in _CHOOSES and not stage.blocks:
            raise StepError(f"{stage.kind}: it has no blocks; give it some, or leave it out")
        segments = [self._segment(task) for task in tasks]
        inputs = [self._input(task) for task in tasks]
        rows = inputs[0] if len(inputs) == 1 else torch.cat(inputs)
        rows = self._layers.run(rows, stage.blocks, segments)
        parts = rows.split([segment.new for segment in segments])
        made = [self._leave(task, part) for task, part in zip(tasks, parts, strict=True)]
        self._sessions.keep_within_limit({task.job for task in tasks})
        return made

    def _segment(self, task: "_Task") -> Segment:
        """Return a text's place in a pass, its cache cut back to what comes before."""
        session, stage = task.session, task.stage
        with self._sessions.lock:
            cache = session.caches.get(stage.blocks)
            if cache is None:
                cache = session.caches[stage.blocks] = self._layers.cache(len(stage.blocks))
        past, end = stage.positions
        longest = self._model.architecture.positions
        if not past < end <= longest:
            raise StepError(f"{stage.kind}: positions {past} to {end - 1}; there are {longest}")
        cache.cut(past)
        return Segment(cache, end - past)

    def _input(self, task: "_Task") -> torch.Tensor:
        past, end = task.stage.positions
        with self._sessions.lock:
            if task.stage.kind in _EMBEDS:
                return self._layers.embed(task.session.tokens(past, end))
            depth = task.stage.blocks[0] if task.stage.blocks else self._model.layers
            what = f"{task.stage.kind}: hidden states after {depth} layers"
            return self._rows(task.session, depth).read(past, end, what)

    def _leave(self, task: "_Task", rows: torch.Tensor) -> Made | None:
        """Keep what has come of a pass: hidden states to be sent on, or tokens."""
        stage, session = task.stage, task.session
        if stage.kind not in _CHOOSES:
            with self._sessions.lock:
                self._rows(session, stage.blocks[-1] + 1).write(stage.positions[0], rows)
            return None
        if stage.makes is None or stage.makes.tensor != "token" or not stage.makes.tokens:
            return None
        return self._choose(session, rows[-stage.makes.tokens :], stage.positions[1])

    def _choose(self, session: Session, rows: torch.Tensor, end: int) -> Made:
        """Choose a token after each row, the last of which is at ``end`` - 1, and keep what holds.

        All rows but the first are of guesses: a choice holds where all guesses before it were
        chosen, too.
        """
        first, sampling = end - len(rows) + 1, self._model.sampling
        logits = self._layers.logits(rows)
        chosen = choose(logits, sampling, session.seed, range(first, end + 1))
        with self._sessions.lock:
            guesses = session.tokens(first, end)
            right = next((n for n, guess in enumerate(guesses) if guess != chosen[n]), len(guesses))
            held = chosen[: right + 1]
            ends = self._model.architecture.ends
            length = next((n for n, token in enumerate(held, 1) if token in ends), 0)
            ended = sampling.stop and length > 0
            if ended:
                held = held[:length]
            session.write(first - len(session.prompt), held)
        return Made(tuple(held), ended)

    def _draft(self, task: "_Task") -> None:
        """Guess what follows the text, up to the last position that the stage names."""
        first, end = task.stage.positions
        session = task.session
        with self._sessions.lock:
            session.write(first - len(session.prompt), [])
            text = session.text
        if not text:
            raise StepError(f"{task.stage.kind}: no text to guess from; send prompt and answer")
        if self._drafter is not None:
            guesses = self._drafter.guess(session, end - first)
        else:
            guesses = session.lookup.guess(text, end - first)
        with self._sessions.lock:
            session.guesses[:] = guesses

    def _rows(self, session: Session, depth: int) -> Rows:
        if depth not in session.rows:
            hidden = self._model.architecture.hidden
            session.rows[depth] = Rows(hidden, self._layers.dtype, self._layers.device)
        return session.rows[depth]

    def _hidden(self, payload: Payload, array: Array) -> torch.Tensor:
        shape, depth = self._model.architecture, payload.blocks_done
        what, end = f"hidden states after {depth} layers", payload.first + payload.tokens
        if not 0 <= depth <= shape.layers or payload.first < 0 or end > shape.positions:
            raise StepError(
                f"{what}: positions {payload.first} to {end - 1}; there are {shape.layers} layers "
                f"and {shape.positions} positions"
            )
        wanted = (payload.tokens, shape.hidden)
        return tensor_of(what, array, wanted, self._layers.dtype, self._layers.device)

    def _tokens(self, payload: Payload, array: Array) -> list[int]:
        content = bytes_of(payload.tensor, array)
        if len(content) % TOKEN_BYTES:
            raise StepError(f"{payload.tensor}: {len(content)} bytes; give 4 per token")
        tokens = content.view("<i4")
        vocabulary = self._model.architecture.vocabulary
        if tokens.min() < 0 or tokens.max() >= vocabulary:
            raise StepError(
                f"{payload.tensor}: tokens {tokens.min()} to {tokens.max()}; there are 0 to "
                f"{vocabulary - 1}"
            )
        found: list[int] = tokens.tolist()
        return found


class _Task(NamedTuple):
    job: int
    session: Session
    stage: Stage


def _as_bytes(tokens: Sequence[int]) -> Array:
    return np.array(tokens, "<i4").view(np.uint8)
