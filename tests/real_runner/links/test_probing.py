"""What is measured of a transfer is the way's, not that of bytes that had waited on it."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from real_runner.links.probing import goodput_bits_per_s

SIZE_BYTES = 4_000_000
HELD_S = 0.3


def hold_up(source: socket.socket, target: socket.socket) -> None:
    """Pass on a transfer as one whose first segment is lost: nothing for a while, then all."""
    held = source.recv(SIZE_BYTES, socket.MSG_WAITALL)
    time.sleep(HELD_S)
    target.sendall(held)


def test_what_was_held_up_and_came_at_once_is_not_taken_for_a_fast_way() -> None:
    ours, near = socket.socketpair()
    far, theirs = socket.socketpair()
    with ours, near, far, theirs, ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold_up, near, far)
        ours.settimeout(5)
        theirs.settimeout(5)
        rate = goodput_bits_per_s(ours, theirs, SIZE_BYTES, fills=False)
        holding.result()
    assert 0 < rate <= 8 * SIZE_BYTES / HELD_S
