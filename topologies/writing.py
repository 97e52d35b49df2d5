"""Writing files: whole, or not at all."""

import os
import tempfile
from pathlib import Path

from topologies.documents import DocumentError


def write_text(text: str, path: Path) -> None:
    """Replace a file's text in one step: readers see the old or the new, never a part.

    Raises DocumentError: the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DocumentError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise DocumentError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
