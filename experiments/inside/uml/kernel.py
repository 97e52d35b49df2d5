"""Where the guest's kernel and its modules are."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from experiments.inside.uml.registers import needed_library
from real_runner.errors import RealRunError

VARIABLE: Final = "TESSERA_UML"
REMEDY: Final = (
    "apt-get install user-mode-linux, or without root: apt-get download user-mode-linux && "
    f"dpkg -x user-mode-linux_*.deb uml && export {VARIABLE}=$PWD/uml/usr/bin/linux.uml"
)
_ASKING_S = 10.0


@dataclass(frozen=True, slots=True)
class Kernel:
    """A User-Mode Linux ``program`` and the folder of the ``modules`` that were built with it.

    ``library`` is loaded into it before the C library; None: nothing has to be.
    """

    program: Path
    modules: Path
    library: Path | None


def find_kernel() -> Kernel:
    """Return the kernel that `VARIABLE` names, else the one on the path, with its modules.

    Modules are looked for where the Debian package has them relative to its program:
    ``../lib/uml/modules/VERSION``. Raises `RealRunError` where either is missing, or the library
    that it needs here cannot be compiled.
    """
    named = os.environ.get(VARIABLE, "")
    found = shutil.which(named or "linux.uml")
    if found is None:
        what = f"{VARIABLE}={named}: no such program" if named else "no linux.uml"
        raise RealRunError(f"User-Mode Linux: {what}; {REMEDY}")
    program = Path(found).resolve()
    modules = program.parents[1] / "lib/uml/modules" / _version(program)
    if not (modules / "modules.dep").is_file():
        raise RealRunError(f"User-Mode Linux: no modules in {modules}; {REMEDY}")
    return Kernel(program, modules, needed_library())


def _version(program: Path) -> str:
    command = [str(program), "--version"]
    try:
        done = subprocess.run(  # noqa: S603 - the user's choice
            command, capture_output=True, text=True, timeout=_ASKING_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RealRunError(f"User-Mode Linux: {program} is none; {REMEDY}") from error
    return (done.stdout.splitlines() or [""])[0]
