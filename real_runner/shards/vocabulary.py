"""Tokenizers of `transformers`, from files beside weights."""

from pathlib import Path
from typing import Any

from real_runner.errors import RealRunError
from real_runner.shards.packages import class_named, unwarned


def read_tokenizer(kind: str, folder: Path) -> Any:
    """Return the tokenizer of a folder, of `transformers`' class ``kind``; nothing is fetched.

    Raises `RealRunError` where it cannot be read.
    """
    found = class_named("transformers", kind)
    with unwarned():
        try:
            return found.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # a file of the user's, read by another package's code
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RealRunError(f"{folder}: its tokenizer cannot be read: {reason}") from error
