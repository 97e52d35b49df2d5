"""Prompts to the tokens of Stable Diffusion XL: by the files beside its weights, or as bytes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from real_runner.errors import RealRunError
from real_runner.shards.sdxl.head import Numbers, padded_for
from real_runner.shards.vocabulary import read_tokenizer
from workloads.sdxl.variants import BYTES, TextEncoder, Variant

Encode = Callable[[str], tuple[int, ...]]
"""Returns as many tokens as a prompt has, padded as the first encoder wants them."""

FOLDERS = ("tokenizer", "tokenizer_2")


def tokenizer_for(weights: Path | None, variant: Variant) -> Encode:
    """Return the tokenizer in the folder ``weights``, or bytes where the vocabulary is of bytes.

    It raises `RealRunError` for a prompt that is too long; so does this where there are no
    tokenizers, or none that can be read.
    """
    first, second = variant.encoders
    if weights is not None and (weights / FOLDERS[0]).is_dir():
        return _pretrained(weights, first, second)
    if first.vocabulary == BYTES:
        return lambda text: _padded(first, [first.end - 1, *text.encode(), first.end])
    raise RealRunError(
        f"weights {weights or variant.name}: no folder {FOLDERS[0]!r} there; give a folder as "
        "diffusers saves a StableDiffusionXLPipeline"
    )


def _pretrained(weights: Path, first: TextEncoder, second: TextEncoder) -> Encode:
    """Return the tokenizer of the first encoder; that of the second pads differently at most."""
    own, other = (read_tokenizer("CLIPTokenizer", weights / name) for name in FOLDERS)

    def encode(text: str) -> tuple[int, ...]:
        tokens = _padded(first, own(text)["input_ids"])
        padded = other(text, padding="max_length", max_length=second.tokens)["input_ids"]
        if padded_for(second, np.array(tokens, np.int32)).tolist() != padded:
            raise RealRunError(
                f"weights {weights}: {FOLDERS[1]} makes other tokens of {text!r} than "
                f"{FOLDERS[0]}, padding aside; give those of stable-diffusion-xl-base-1.0"
            )
        return tokens

    return encode


def _padded(encoder: TextEncoder, tokens: Sequence[int]) -> tuple[int, ...]:
    if len(tokens) > encoder.tokens:
        raise RealRunError(
            f"prompt: {len(tokens) - 2} tokens; the model reads {encoder.tokens - 2}, shorten it"
        )
    filled: Numbers = np.full(encoder.tokens, encoder.end, np.int32)
    filled[: len(tokens)] = tokens
    return tuple(padded_for(encoder, filled).tolist())
