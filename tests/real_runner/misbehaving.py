"""Workers that each go wrong in their own way, forked from one process that has imported torch.

``python misbehaving.py KIND=FOLDER ...`` serves a worker per kind on a free port, with the
credentials in its folder, says in one line of JSON where each listens, and ends with its standard
input. What is wrong is put into the process of the worker itself: everybody else is as usual.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from real_runner.shards.sam import SamExecutor
from real_runner.wire import frames, receiving, sending
from real_runner.wire.messages import load
from real_runner.workers.confinement import die_with_parent
from real_runner.workers.service import serve_node
from real_runner.workers.worker import PROBE

Change = Callable[[np.ndarray], np.ndarray]


def returning(change: Change) -> None:
    """Send something else than what was computed, without looking at it first."""
    honest = SamExecutor.get
    SamExecutor.get = lambda self, job, payload: change(honest(self, job, payload))
    sending.check_array = lambda *_: None


def computing(act: Callable[[], object]) -> None:
    """Do something else before a computation."""
    honest = SamExecutor.run

    def run(self, *arguments):
        act()
        return honest(self, *arguments)

    SamExecutor.run = run


def once(act: Callable[[], object]) -> Callable[[], None]:
    left = [act]

    def maybe() -> None:
        if left:
            left.pop()()

    return maybe


def fail() -> None:
    raise ArithmeticError("the accelerator is on fire")


def damage() -> None:
    """Send bytes that are not those that were summed."""

    class Sums:
        xxh3_64_intdigest = staticmethod(
            lambda data: 42 if len(data) > 1 else honest.xxh3_64_intdigest(data)
        )

    honest = frames.xxhash

    frames.xxhash = Sums


def mislabel() -> None:
    """Say of floating-point numbers that they are something else."""

    def write(*arguments, **options):
        header = load("real_runner/wire/parcel.proto").Header.FromString(
            honest(*arguments, **options)
        )
        if header.dtype != "uint8":
            header.dtype = "int64"
        return header.SerializeToString()

    honest = sending.write_header
    sending.write_header = write


def accuse() -> None:
    """Refuse whatever comes."""

    def refuse(message, limits):
        announced = honest(message, limits)
        if announced.payload != PROBE:
            raise receiving.StepError("I do not like it")
        return announced

    honest = receiving.read_header
    receiving.read_header = refuse


def drop() -> None:
    """Send nothing, and say nothing of it."""

    async def send(self, parcel, *arguments, **options):
        if parcel.payload == PROBE:
            await honest(self, parcel, *arguments, **options)

    honest = sending.Courier.send
    sending.Courier.send = send


KINDS: dict[str, Callable[[], None]] = {
    "good": lambda: None,
    "nan": lambda: returning(lambda array: array * np.nan),
    "shape": lambda: returning(lambda array: array[:-1]),
    "dtype": mislabel,
    "fewer-bytes": lambda: returning(lambda array: array[:, :-1].copy()),
    "checksum": damage,
    "dies": lambda: computing(lambda: os._exit(3)),
    "stops": lambda: computing(lambda: os.kill(os.getpid(), signal.SIGSTOP)),
    "never-ends": lambda: computing(once(lambda: time.sleep(3600))),
    "fails-once": lambda: computing(once(fail)),
    "fails": lambda: computing(fail),
    "accuses": accuse,
    "drops": drop,
}


def fork(order: str) -> str:
    """Start a worker and return its address."""
    kind, _, folder = order.partition("=")
    heard, tell = os.pipe()
    parent = os.getpid()
    if os.fork() == 0:
        try:
            die_with_parent(parent)
            KINDS[kind]()
            serve_node(
                ("127.0.0.1:0",),
                Path(folder),
                lambda _, address: os.write(tell, address.encode()),
            )
        finally:
            os._exit(0)
    return os.read(heard, 100).decode()


if __name__ == "__main__":
    print(json.dumps([fork(kind) for kind in sys.argv[1:]]), flush=True)
    sys.stdin.read()
