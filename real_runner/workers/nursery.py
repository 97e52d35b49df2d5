"""The process that workers are forked from: it has imported what they need, and nothing else runs.

Importing torch takes seconds, a fork milliseconds; so sixteen workers start, and one that crashed
starts again, without anybody waiting. Orders come as lines of JSON on standard input, news goes
out as lines of JSON on standard output. When its orders end the nursery kills every worker, and
when it dies itself the kernel does.

Started as ``python -m real_runner.workers.nursery --run=RUN [MODULE ...]``, with the modules to
import; the run's number is there for whoever has to find its processes.
"""

import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from real_runner.links.entering import enter_namespace
from real_runner.workers.confinement import die_with_parent


def main(modules: list[str]) -> None:
    """Import ``modules``, then obey until the orders end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the orchestrator ends what it began
    die_with_parent(os.getppid())
    for module in modules:
        importlib.import_module(module)
    nursery = _Nursery()
    try:
        nursery.run()
    finally:
        nursery.kill_all()


class _Nursery:
    def __init__(self) -> None:
        self._orders = b""
        self._children: set[int] = set()
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        self._tell(ready=os.getpid())
        selector = selectors.DefaultSelector()
        selector.register(0, selectors.EVENT_READ)
        selector.register(self._woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == self._woken:
                    os.read(self._woken, 4096)
                    self._reap()
                elif not self._read():
                    return

    def kill_all(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGKILL)

    def _read(self) -> bool:
        read = os.read(0, 1 << 16)
        *lines, self._orders = (self._orders + read).split(b"\n")
        for line in lines:
            self._fork(json.loads(line))
        return bool(read)

    def _fork(self, order: dict[str, Any]) -> None:
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _become_worker(parent, order)
        self._children.add(child)
        self._tell(node=order["node"], pid=child)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            self._tell(ended=pid, status=os.waitstatus_to_exitcode(status))

    def _tell(self, **news: Any) -> None:
        os.write(1, json.dumps(news).encode() + b"\n")


def _become_worker(parent: int, order: dict[str, Any]) -> NoReturn:
    """Turn this fresh fork into a worker; it ends with it."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(parent)
        if order["namespace"]:
            enter_namespace(order["namespace"])
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((null, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        from real_runner.wire.limits import Limits  # noqa: PLC0415 - only in the fork
        from real_runner.workers.service import serve_node  # noqa: PLC0415 - only in the fork

        folder = Path(order["log"]).parent  # the run's, which goes with the run, however it ends
        limits = Limits().dilated(order["dilation"])
        serve_node(order["addresses"], _folder(order["credentials"]), folder=folder, limits=limits)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the nursery's own loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _folder(path: str | None) -> Path | None:
    return Path(path) if path else None


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if not word.startswith("--")])
