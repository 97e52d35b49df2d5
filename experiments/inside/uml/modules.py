"""Loading a kernel's modules, each after those it needs, without the program ``modprobe``."""

import ctypes
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

LINKS: Final = (
    "veth", "bridge", "tun", "ifb", "dummy",
    "sch_netem", "sch_htb", "sch_tbf", "sch_prio", "sch_sfq", "sch_fq", "sch_fq_codel",
    "sch_ingress", "cls_u32", "cls_matchall", "act_mirred",
    "tcp_bbr",
)  # fmt: skip
"""What emulated links are made of."""

_FINIT_MODULE = 313  # arch/x86/entry/syscalls/syscall_64.tbl, the one architecture of the package


def in_order(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the files of modules, each after those it needs; ``needs`` has them, outermost last.

    >>> list(in_order(["net/bridge.ko"], {"net/bridge.ko": ["net/stp.ko", "net/llc.ko"]}))
    ['net/llc.ko', 'net/stp.ko', 'net/bridge.ko']
    """
    files = (each for name in names for each in (*reversed(needs[name]), name))
    return iter(dict.fromkeys(files))


def load(names: Sequence[str], folder: Path) -> None:
    """Load modules and what they need from ``folder`` into the running kernel.

    Raises `OSError` with the module's name where there is none, or the kernel refuses it.
    """
    lines = (folder / "modules.dep").read_text(encoding="utf-8").splitlines()
    needs = {file: rest.split() for file, _, rest in (line.partition(":") for line in lines)}
    files = {Path(file).stem: file for file in needs}
    built_in = (folder / "modules.builtin").read_text(encoding="utf-8").splitlines()
    wanted = set(names).difference(Path(file).stem for file in built_in)
    if lacking := sorted(wanted.difference(files)):
        raise FileNotFoundError(errno.ENOENT, "no such module", ", ".join(lacking))
    for file in in_order([files[name] for name in names if name in wanted], needs):
        _load_one(folder / file)


def _load_one(file: Path) -> None:
    module = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syscall(_FINIT_MODULE, module, b"", 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(file))
    finally:
        os.close(module)
