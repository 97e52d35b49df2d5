"""Text to the tokens of a Llama and back: by the files beside its weights, or byte by byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from real_runner.errors import RealRunError
from real_runner.shards.vocabulary import read_tokenizer
from workloads.llama.text import BYTES, ByteTokenizer, Tokenizer, in_lines
from workloads.llama.variants import Architecture

FILES: Final = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
"""Any of them says that a folder has a tokenizer."""

UNFINISHED: Final = "\ufffd"
"""What decoding makes of bytes that are no character, or none yet."""


class PretrainedTokenizer:
    """Implements `workloads.llama.text.Tokenizer` with one of `transformers`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        found: list[int] = self._tokenizer.encode(text)
        return found

    def converse(self, turns: Sequence[str]) -> list[int]:
        """Return the tokens of a conversation: by the model's own template, if it has one."""
        if not self._tokenizer.chat_template:
            return self.encode(in_lines(turns))
        messages = [
            {"role": "assistant" if number % 2 else "user", "content": turn}
            for number, turn in enumerate(turns)
        ]
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return found

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text, without tokens that only open, close or divide texts."""
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.rstrip(UNFINISHED)


def tokenizer_for(weights: Path | None, architecture: Architecture) -> Tokenizer:
    """Return the tokenizer in the folder ``weights``, or bytes where the vocabulary is of bytes.

    Raises `RealRunError` where there is none, or none that can be read.
    """
    if weights is not None and any((weights / name).is_file() for name in FILES):
        return PretrainedTokenizer(read_tokenizer("AutoTokenizer", weights))
    if architecture.vocabulary == BYTES:
        return ByteTokenizer()
    raise RealRunError(
        f"weights {weights or architecture.name}: no tokenizer there ({', '.join(FILES)}); copy "
        "the one of the model beside them"
    )
