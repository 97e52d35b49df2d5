"""Small C programs of ours, compiled from their sources on this machine when first needed.

They are kept in the user's cache by what their sources are, so that nothing waits for one twice and
none is older than its source.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from real_runner.errors import RealRunError

_REMEDY: Final = "apt-get install gcc libc6-dev"


def cache() -> Path:
    """Return the folder for compiled programs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tessera"


def compiled(source: Path, *options: str, wanted_by: str) -> Path:
    """Return what ``source`` compiles to, an executable unless the compiler's ``options`` say else.

    Raises `RealRunError`, which names who ``wanted_by`` it, where it cannot be compiled.
    """
    mark = hashlib.sha256(source.read_bytes() + "\0".join(options).encode()).hexdigest()[:16]
    program = cache() / f"{source.stem}-{mark}"
    if not program.exists():
        _compile(source, options, program, wanted_by)
    return program


def _compile(source: Path, options: tuple[str, ...], program: Path, wanted_by: str) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise RealRunError(
            f"{wanted_by}: no C compiler (cc), with which {source.name} is compiled; {_REMEDY}"
        )
    try:
        program.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            draft = Path(folder) / program.name
            command = (compiler, "-O2", "-std=gnu11", "-o", str(draft), str(source), *options)
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                reason = " ".join(done.stderr.split())[:300]
                raise RealRunError(f"{wanted_by}: {compiler} {source}: {reason}; {_REMEDY}")
            draft.replace(program)
    except OSError as error:
        raise RealRunError(f"{program}: {error.strerror}; set XDG_CACHE_HOME") from error
