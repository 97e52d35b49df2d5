"""The orchestrator's side of the nursery: asks for workers and hears when they end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from real_runner.errors import RealRunError


class Nursery:
    """Starts worker processes on this machine; ``ended(node, status)`` hears when one ends."""

    def __init__(self, run: str, log: Path, ended: Callable[[str, int], None]) -> None:
        self._run = run
        self._log = log
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._born: dict[str, asyncio.Future[int]] = {}
        self._nodes: dict[int, str] = {}

    async def start(self, modules: Sequence[str]) -> None:
        """Start the nursery, which imports ``modules`` for all workers."""
        command = (sys.executable, "-m", "real_runner.workers.nursery", f"--run={self._run}")
        paths = os.pathsep.join(path for path in sys.path if path)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, *modules,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # an interrupt from the terminal is for us to pass on
            )  # fmt: skip
        news = await self._next()
        if news is None:
            raise RealRunError(f"no worker can be started: {last_line(self._log)}")
        self._hearing = asyncio.create_task(self._hear())

    async def fork(
        self,
        node: str,
        addresses: Sequence[str],
        credentials: Path | None,
        log: Path,
        namespace: str | None = None,
        dilation: float = 1.0,
    ) -> int:
        """Start a worker, in a network namespace where one is given; return its process number.

        What its peers do may take ``dilation`` times as long as undilated.
        """
        assert self._process is not None  # noqa: S101 - started first
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        self._born[node] = asyncio.get_running_loop().create_future()
        order = {
            "node": node,
            "addresses": list(addresses),
            "credentials": str(credentials) if credentials else None,
            "log": str(log),
            "namespace": namespace,
            "dilation": dilation,
        }
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._born[node]
        except ConnectionError as error:
            raise self._ending() from error
        finally:
            self._born.pop(node, None)

    async def stop(self) -> None:
        """End every worker and the nursery."""
        if self._process is None:
            return
        if self._hearing is not None:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing
        for pid in self._nodes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        self._process.stdin.close()
        await self._process.wait()

    async def _hear(self) -> None:
        while (news := await self._next()) is not None:
            if "ended" in news:
                node = self._nodes.pop(news["ended"], None)
                if node is not None:
                    self._ended(node, news["status"])
            else:
                self._nodes[news["pid"]] = news["node"]
                born = self._born.get(news["node"])
                if born is not None and not born.done():  # else nobody waits for it any more
                    born.set_result(news["pid"])
        for born in self._born.values():
            if not born.done():
                born.set_exception(self._ending())

    def _ending(self) -> RealRunError:
        return RealRunError(f"no worker can be started any more: {last_line(self._log)}")

    async def _next(self) -> dict[str, Any] | None:
        assert self._process is not None  # noqa: S101 - started first
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        line = await self._process.stdout.readline()
        return json.loads(line) if line else None


def last_line(log: Path) -> str:
    """Return the last line that a process has said, which tells why it ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
