"""The guest's first process: makes it a machine, runs the command in it, and halts it.

Started by the guest's kernel as ``python -m experiments.inside.uml.guest FOLDER``. Everything goes
through system calls, so that the machine need have no programs for it installed.
"""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import traceback
import tty
from contextlib import suppress
from pathlib import Path
from typing import Final

from experiments.inside.uml.modules import LINKS, load
from experiments.inside.uml.orders import Orders

LINES: Final = ("/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2")
"""Serial lines: for standard output, standard error, and the numbers of signals that come in."""
ORDERS, STATUS, TEMPORARY, COMPLAINT = "orders.json", "status", "tmp", "complaint"
"""In the folder: what is to be done, the exit status, the guest's own files, what went wrong."""
CANNOT_RUN: Final = 127
_POWER_OFF = 0x4321FEDC  # linux/reboot.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_CHUNK_BYTES = 1 << 16
_DESCRIPTORS = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


def main(folder: Path) -> None:
    """Do what the folder's orders say, leave the exit status there, and end the guest."""
    try:
        orders = Orders.of((folder / ORDERS).read_text(encoding="utf-8"))
        _make_machine(folder, Path(orders.modules))
        (folder / STATUS).write_text(str(_run(orders, folder)), encoding="ascii")
    except BaseException:  # noqa: BLE001 - the first process must not end before its guest
        (folder / COMPLAINT).write_text(traceback.format_exc(), encoding="utf-8")
    os.sync()
    _libc.reboot(_POWER_OFF)


def _make_machine(folder: Path, modules: Path) -> None:
    (folder / TEMPORARY).mkdir()
    for kind, path in (
        ("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("devpts", "/dev/pts"),
        ("tmpfs", "/dev/shm"), ("tmpfs", "/run"),  # noqa: S108 - this guest is ours alone
        ("tmpfs", str(folder / TEMPORARY)),
    ):  # fmt: skip
        if path.startswith("/dev/"):
            Path(path).mkdir(exist_ok=True)
        _mount(kind, path)
    (folder / TEMPORARY).chmod(0o1777)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        with suppress(FileExistsError):
            Path("/dev", name).symlink_to(f"/proc/self/fd{target}")
    load(LINKS, modules)
    socket.sethostname("tessera-uml")
    _raise_loopback()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))


def _mount(kind: str, path: str) -> None:
    if _libc.mount(kind.encode(), path.encode(), kind.encode(), 0, None) != 0:
        number = ctypes.get_errno()
        if number != errno.EBUSY:  # this kernel mounts devtmpfs by itself
            raise OSError(number, os.strerror(number), path)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        name, flags = struct.unpack("16sh22x", asked)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", name, flags | _IFF_UP))


def _run(orders: Orders, folder: Path) -> int:
    """Run the command and return its exit status, as a shell counts it, once all it said is out."""
    lines = [_open_line(path) for path in LINES]
    try:
        process = _start(orders, lines, folder / TEMPORARY)
    except OSError as error:
        os.write(lines[1], f"{orders.command[0]}: {error.strerror}\n".encode())
        termios.tcdrain(lines[1])
        return CANNOT_RUN
    pumps = [
        threading.Thread(target=_pump, args=(pipe.fileno(), line))
        for pipe, line in zip((process.stdout, process.stderr), lines, strict=False)
        if pipe
    ]
    listener = threading.Thread(target=_listen, args=(lines[2], process.pid), daemon=True)
    for thread in (*pumps, listener):
        thread.start()
    status = _reap_until(process.pid)
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # all but us: what the command has left behind
    for thread in pumps:
        thread.join()
    for line in lines[:2]:
        termios.tcdrain(line)
    return status


def _start(orders: Orders, lines: list[int], temporary: Path) -> subprocess.Popen[bytes]:
    """Start the command; it gets a line itself where that is a terminal, else a pipe to us."""
    ends = [subprocess.PIPE, subprocess.PIPE]
    for number, size in enumerate(orders.terminals):
        if size is not None:
            columns, rows = size
            ends[number] = lines[number]
            fcntl.ioctl(lines[number], termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    return subprocess.Popen(  # noqa: S603 - the very command that the user gave
        orders.command, cwd=orders.folder, env={**orders.environment, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL, stdout=ends[0], stderr=ends[1], start_new_session=True,
    )  # fmt: skip


def _open_line(path: str) -> int:
    """Open a serial line that passes on every byte as it is."""
    line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(line)
    return line


def _pump(source: int, line: int) -> None:
    while chunk := os.read(source, _CHUNK_BYTES):
        while chunk:
            chunk = chunk[os.write(line, chunk) :]


def _listen(line: int, group: int) -> None:
    """Pass on signals, whose numbers come in a line each, to the command and its children."""
    with os.fdopen(line, encoding="ascii", closefd=False) as incoming:
        for number in incoming:
            with suppress(ProcessLookupError):
                os.killpg(group, int(number))


def _reap_until(pid: int) -> int:
    """Bury everybody, as a first process must, until ``pid`` ends; return its exit status."""
    while True:
        buried, status = os.wait()
        if buried == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(Path(sys.argv[1]))
