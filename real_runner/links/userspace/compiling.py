"""The link process's program, compiled from its source on this machine when first needed.

It is kept in the user's cache by what its source is, so that no run waits for it twice and no
program is older than its source.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from real_runner.errors import RealRunError

SOURCE = Path(__file__).with_name("forwarder.c")


def cache() -> Path:
    """Return the folder for compiled programs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tessera"


def forwarder() -> Path:
    """Return the compiled link process; `RealRunError` where it cannot be compiled."""
    mark = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    program = cache() / f"forwarder-{mark}"
    if not program.exists():
        _compile(program)
    return program


def _compile(program: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise RealRunError(
            "userspace links: no C compiler (cc), with which their link process is made; "
            "apt-get install gcc libc6-dev"
        )
    try:
        program.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            draft = Path(folder) / program.name
            command = (compiler, "-O2", "-std=gnu11", "-o", str(draft), str(SOURCE), "-lm")
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                reason = " ".join(done.stderr.split())[:300]
                raise RealRunError(f"userspace links: {compiler} {SOURCE}: {reason}")
            draft.replace(program)
    except OSError as error:
        raise RealRunError(f"{program}: {error.strerror}; set XDG_CACHE_HOME") from error
