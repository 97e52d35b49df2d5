"""A guest's programs keep their registers, however large this machine's register states are."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.inside.uml import registers
from experiments.inside.uml.registers import library, needed_library
from real_runner.errors import RealRunError

TRACER = """
import ctypes, errno, os, signal

TRACEME, PEEKUSER, GETREGSET, SETREGSET, XSTATE = 0, 3, 0x4204, 0x4205, 0x202
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def state(request, child, buffer):
    part = Part(ctypes.addressof(buffer), len(buffer))
    failed = libc.ptrace(request, child, XSTATE, ctypes.addressof(part))
    return part.length, errno.errorcode[ctypes.get_errno()] if failed else "taken"


child = os.fork()
if child == 0:
    libc.ptrace(TRACEME, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
os.waitpid(child, 0)
before, after = ((ctypes.c_char * (1 << 16))() for _ in range(2))
length, _ = state(GETREGSET, child, before)
part = (ctypes.c_char * 576)()
state(GETREGSET, child, part)
part[160] = bytes([part[160][0] ^ 255])  # of the first vector register
part[512] = bytes([part[512][0] | 2])  # which is in use
said = state(SETREGSET, child, part)[1]
state(GETREGSET, child, after)
ctypes.set_errno(0)
stack = libc.ptrace(PEEKUSER, child, 8 * 19, 0)
changed = [i for i in range(length) if before[i] != after[i] and not 512 <= i < 576]
print(said, changed, stack > 1 << 32, ctypes.get_errno())
os.kill(child, signal.SIGKILL)
"""

compiling = pytest.mark.skipif(shutil.which("cc") is None, reason="apt-get install gcc libc6-dev")


def traced(**environment: str) -> str:
    """Return what comes of setting a part of a program's state, and which bytes it changed."""
    return subprocess.run(
        [sys.executable, "-c", TRACER],
        capture_output=True, text=True, check=True, timeout=30, env=os.environ | environment,
    ).stdout.strip()  # fmt: skip


@compiling
@pytest.mark.skipif(platform.machine() != "x86_64", reason="User-Mode Linux is of x86 only")
def test_a_part_of_a_state_is_taken_and_the_rest_stays() -> None:
    assert traced() == "EFAULT [] True 0", "as it is without what is to be shown here"
    assert traced(LD_PRELOAD=str(library())) == "taken [160] True 0"


@compiling
@pytest.mark.parametrize(("flags", "is_needed"), [("sse2 avx512f amx_tile", True), ("sse2", False)])
def test_it_is_loaded_where_a_processor_has_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, *, is_needed: bool
) -> None:
    monkeypatch.setattr(registers, "_PROCESSORS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu {flags} pku\n", encoding="utf-8")
    assert needed_library() == (library() if is_needed else None)


def test_without_a_compiler_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RealRunError, match=r"^User-Mode Linux: no C compiler.*apt-get install gcc"):
        library()
