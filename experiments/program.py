"""Which program computed something, when, and on what: enough to have it computed again."""

import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_RECORDED: Final = (
    "tessera", "simpy", "networkx", "numpy", "pandas", "pyarrow", "pydantic", "torch",
)  # fmt: skip


def program() -> dict[str, Any]:
    """Return this program's revision and versions, the machine, and the time, as JSON has them."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": _git_revision(),
        "host": {"system": platform.platform(), "python": platform.python_version()},
        "versions": {name: _version(name) for name in _RECORDED},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """Return the revision of the checkout that this file lies in, if it lies in one."""
    git = shutil.which("git")
    if git is None:
        return None
    found = subprocess.run(  # noqa: S603 - a fixed command
        [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or None
