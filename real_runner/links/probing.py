"""What an emulated link does, measured at its ends: by sockets in two namespaces, on one clock.

A socket stays in the namespace in which it was made, so nothing else has to run there. Whoever
calls these functions waits for them: they are for a thread.
"""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import numpy as np

from real_runner.links.entering import enter_namespace

T = TypeVar("T")

ECHO_BYTES: Final = 56
"""Payload of an echo, as of ping(8)."""
DATAGRAM_BYTES: Final = 1472
"""Payload of a datagram that fills a packet of 1,500 bytes."""
PATIENCE_S: Final = 5.0
WAITING_BYTES: Final = 16 << 20
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h
_CHUNK_BYTES: Final = 1 << 18
_SLICES: Final = 10


def in_namespace(path: str, make: Callable[[], T]) -> T:
    """Return what ``make`` returns when called within a namespace, in a thread of its own."""

    def made() -> T:
        enter_namespace(path)
        return make()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(made).result()


@contextmanager
def datagrams(near: str, far: str, address: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Open a datagram socket in namespace ``near``, connected to one at ``address`` in ``far``."""
    theirs = in_namespace(far, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    ours = in_namespace(near, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with theirs, ours:
        _let_wait(theirs, WAITING_BYTES)
        theirs.bind((address, 0))
        ours.connect(theirs.getsockname())
        yield ours, theirs


def _let_wait(ours: socket.socket, size_bytes: int) -> None:
    """Have the kernel keep so much for a socket: whoever reads it may be kept waiting, too."""
    try:
        ours.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size_bytes)
    except PermissionError:  # then it is what every user may have
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)


@contextmanager
def stream(
    near: str, far: str, address: str, patience_s: float = PATIENCE_S
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Open a TCP connection from namespace ``near`` to one that listens at ``address`` in ``far``.

    Raises `TimeoutError`, as its sockets do later, where nothing comes for ``patience_s``. Its
    congestion control is that of the way, which a socket's own would not override.
    """
    listening = in_namespace(far, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    ours = in_namespace(near, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    with listening, ours:
        listening.bind((address, 0))
        listening.listen(1)
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.settimeout(patience_s)
        ours.settimeout(patience_s)
        ours.connect(listening.getsockname())
        theirs, _ = listening.accept()
        with theirs:
            theirs.settimeout(patience_s)
            yield ours, theirs


def round_trips_s(
    ours: socket.socket, theirs: socket.socket, count: int, patience_s: float
) -> list[float]:
    """Return how long echoes took; those that did not come within ``patience_s`` are left out."""
    found = []
    for each in (ours, theirs):
        each.settimeout(patience_s)
    for number in range(count):
        text = number.to_bytes(ECHO_BYTES, "big")
        began_s = time.perf_counter()
        ours.send(text)
        with suppress(TimeoutError):
            _, back = theirs.recvfrom(ECHO_BYTES)
            theirs.sendto(text, back)
            while ours.recv(ECHO_BYTES) != text:
                continue
            found.append(time.perf_counter() - began_s)
    return found


def messages_s(
    ours: socket.socket, theirs: socket.socket, count: int, size_bytes: int, patience_s: float
) -> list[float]:
    """Return how long messages took, in datagrams sent at once, until all of one was there.

    Those that were not there within ``patience_s`` are left out.
    """
    theirs.settimeout(patience_s)
    whole, rest = divmod(size_bytes, DATAGRAM_BYTES)
    parts = [bytes(DATAGRAM_BYTES)] * whole + [bytes(rest)] * (rest > 0)
    found = []
    for _ in range(count):
        began_s = time.perf_counter()
        for part in parts:
            ours.send(part)
        with suppress(TimeoutError):
            for _ in parts:
                theirs.recv(DATAGRAM_BYTES)
            found.append(time.perf_counter() - began_s)
    return found


def message_times_s(
    ours: socket.socket, theirs: socket.socket, count: int, size_bytes: int
) -> list[float]:
    """Return how long messages took over a connection, one after the other."""
    found = []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(count):
            began_s = time.perf_counter()
            sending = pool.submit(_send, ours, size_bytes)
            _receive(theirs, size_bytes)
            found.append(time.perf_counter() - began_s)
            sending.result()
    return found


def goodput_bits_per_s(
    ours: socket.socket, theirs: socket.socket, size_bytes: int, *, fills: bool = True
) -> float:
    """Return the rate at which a transfer arrived.

    After a loss nothing arrives for a while, and then all at once what has waited for the lost
    segment: as much as half a transfer. So one that ``fills`` its way is judged by the median over
    slices of its second half, when it has found its pace. Any other never finds one, and is judged
    as a whole, with its slow start.
    """
    with ThreadPoolExecutor(1) as pool:
        began_s = time.perf_counter()
        sending = pool.submit(_send, ours, size_bytes)
        _receive(theirs, size_bytes // 2)
        times_s, received = [time.perf_counter()], [0]
        for got in _received(theirs, size_bytes - size_bytes // 2):
            times_s.append(time.perf_counter())
            received.append(received[-1] + got)
        sending.result()
    if not fills:
        return 8 * size_bytes / (times_s[-1] - began_s)
    edges_s = np.linspace(times_s[0], times_s[-1], _SLICES + 1)
    slices = np.diff(np.interp(edges_s, times_s, received))
    return float(8 * np.median(slices) / (edges_s[1] - edges_s[0]))


def arrivals(
    ours: socket.socket, theirs: socket.socket, count: int, interval_s: float, rest_s: float
) -> int:
    """Return how many of ``count`` full datagrams arrived, sent one per interval at most.

    ``rest_s`` is how long the last of them may take.
    """
    theirs.settimeout(rest_s)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_send_evenly, ours, count, interval_s)
        arrived = 0
        with suppress(TimeoutError):
            while arrived < count:
                theirs.recv(DATAGRAM_BYTES)
                arrived += 1
        sending.result()
    return arrived


def dropped_by_device() -> int:
    """Return how many packets the devices of the calling thread's namespace could not hold."""
    with open("/proc/thread-self/net/dev", encoding="ascii") as file:  # noqa: PTH123 - no Path
        rows = [line.rpartition(":")[2].split() for line in file.readlines()[2:]]
    return sum(int(row[_SENT_DROPPED]) for row in rows)


_SENT_DROPPED = 11  # proc(5): of the second eight columns, transmitted, the fourth


def _receive(theirs: socket.socket, size_bytes: int) -> None:
    for _ in _received(theirs, size_bytes):
        pass


def _received(theirs: socket.socket, size_bytes: int) -> Iterator[int]:
    """Receive so many bytes, and yield how many came each time."""
    buffer = bytearray(_CHUNK_BYTES)
    while size_bytes > 0:
        got = theirs.recv_into(buffer, min(size_bytes, _CHUNK_BYTES))
        if got == 0:
            raise ConnectionResetError("the connection ended before its transfer")
        size_bytes -= got
        yield got


def _send(ours: socket.socket, size_bytes: int) -> None:
    chunk = memoryview(bytes(_CHUNK_BYTES))
    while size_bytes > 0:
        ours.sendall(chunk[: min(size_bytes, _CHUNK_BYTES)])
        size_bytes -= _CHUNK_BYTES


def _send_evenly(ours: socket.socket, count: int, interval_s: float) -> None:
    """Send without making up for pauses: what came at once then might overflow a queue."""
    for _ in range(count):
        next_s = time.perf_counter() + interval_s
        ours.send(bytes(DATAGRAM_BYTES))
        time.sleep(max(0.0, next_s - time.perf_counter()))
