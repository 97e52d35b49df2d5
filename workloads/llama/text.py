"""Text as tokens where a token is a byte of UTF-8: for models without a tokenizer of their own."""

from collections.abc import Sequence
from typing import Final, Protocol

SPECIAL: Final = 3
"""Tokens before those of bytes: padding, begin, end."""

BYTES: Final = 320
"""The vocabulary of a model whose tokens are bytes: these and the special ones, and room."""


class Tokenizer(Protocol):
    """Text to tokens and back."""

    def encode(self, text: str) -> list[int]:
        """Return a text's tokens, the one that opens a text first."""
        ...

    def converse(self, turns: Sequence[str]) -> list[int]:
        """Return the tokens of a conversation, the user's turn and the model's by turns.

        The last turn is the user's; what follows these tokens is the model's answer.
        """
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; of those that make no whole character yet, nothing."""
        ...


def in_lines(turns: Sequence[str]) -> str:
    """Return a conversation as plain text, for models that know no better: a line per turn."""
    return "\n".join(turns)


class ByteTokenizer:
    """Token 3 + b is the byte b; 1 opens a text, 2 closes it.

    >>> tokens = ByteTokenizer().encode("né")
    >>> tokens
    [1, 113, 198, 172]
    >>> ByteTokenizer().decode(tokens), ByteTokenizer().decode(tokens[:-1])
    ('né', 'n')
    """

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return [1, *(SPECIAL + byte for byte in text.encode())]

    def converse(self, turns: Sequence[str]) -> list[int]:
        """Return the tokens of a conversation."""
        return self.encode(in_lines(turns))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text; what is no byte is left out, what is no text shown as a replacement."""
        content = bytes(t - SPECIAL for t in tokens if SPECIAL <= t < SPECIAL + 256)
        for cut in range(min(3, len(content)) + 1):  # an unfinished character is at most 3 bytes
            try:
                return content[: len(content) - cut].decode()
            except UnicodeDecodeError as error:
                if error.reason != "unexpected end of data":
                    break
        return content.decode(errors="replace")
