"""From prompts as text to the token numbers that travel."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from real_runner.errors import RealRunError
from real_runner.shards.packages import class_named, unwarned
from real_runner.shards.sdxl.head import Numbers, padded_for
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import BYTES

_FOLDERS = ("tokenizer", "tokenizer_2")

Words = Callable[[str], Numbers]
"""Makes a text the tokens of one prompt, begun, ended and padded for the first encoder."""


class Tokenizer:
    """Makes prompts what `SdxlExecutor` takes as ``prompt``, int32 (prompts, tokens)."""

    def __init__(self, model: Sdxl, words: Words) -> None:
        self._model = model
        self._words = words

    def __call__(self, prompt: str, avoid: str | None = None) -> Numbers:
        """Return the tokens of a prompt and, with guidance, of one to avoid (zeros: none).

        Raises `RealRunError` for a prompt that is too long, and for one to avoid where the model
        is not guided.
        """
        rows = [self._words(prompt)]
        if not self._model.guidance and avoid is not None:
            raise RealRunError("prompt to avoid: nothing looks at it; set guidance: true")
        if self._model.guidance:
            rows.append(np.zeros_like(rows[0]) if avoid is None else self._words(avoid))
        return np.array(rows, "<i4")


def tokenizer_for(model: Sdxl, weights: Path | None) -> Tokenizer:
    """Return what makes text token numbers for ``model``.

    A vocabulary of bytes needs nothing for it; CLIP's needs ``tokenizer/`` and ``tokenizer_2/`` in
    the folder of ``weights``. Raises `RealRunError` where they are not there.
    """
    if all(encoder.vocabulary == BYTES for encoder in model.variant.encoders):
        return Tokenizer(model, partial(_bytes_of, model))
    if weights is None or not all((weights / name).is_dir() for name in _FOLDERS):
        raise RealRunError(
            f"prompt: {model.name} needs {' and '.join(_FOLDERS)} to read a text with; give "
            "weights as a folder that has them"
        )
    kind = class_named("transformers", "CLIPTokenizer")
    with unwarned():
        both = [kind.from_pretrained(weights / name, local_files_only=True) for name in _FOLDERS]
    return Tokenizer(model, partial(_clip_tokens, model, both))


def _bytes_of(model: Sdxl, text: str) -> Numbers:
    first = model.variant.encoders[0]
    content = list(text.encode())
    _require_room(text, len(content), first.tokens)
    ended = [first.end - 1, *content, first.end]
    return np.array(ended + [first.end] * (first.tokens - len(ended)), np.int32)


def _clip_tokens(model: Sdxl, tokenizers: list[Any], text: str) -> Numbers:
    """Return the first tokenizer's numbers, from which the second's must follow."""
    first, second = model.variant.encoders
    _require_room(text, len(tokenizers[0](text).input_ids) - 2, first.tokens)
    numbers, others = (
        np.array(each(text, padding="max_length", max_length=first.tokens).input_ids, np.int32)
        for each in tokenizers
    )
    if not np.array_equal(padded_for(second, numbers), others):
        raise RealRunError(
            f"prompt: {_FOLDERS[1]} reads {text!r} otherwise than {_FOLDERS[0]}; use those of "
            f"{model.name}"
        )
    return numbers


def _require_room(text: str, count: int, tokens: int) -> None:
    if count > tokens - 2:
        raise RealRunError(
            f"prompt: {text[:40]!r}… has {count} tokens; at most {tokens - 2} have room"
        )
