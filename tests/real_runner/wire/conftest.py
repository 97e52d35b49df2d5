"""Two nodes of one run, ``a`` that sends and ``b`` that receives, over real sockets."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import Parcel
from real_runner.wire.receiving import Post
from real_runner.wire.sending import Courier
from real_runner.wire.server import serve
from workloads.stage import Payload

_USUAL = Limits()


@dataclass
class Pair:
    """A courier of ``a`` and the post of ``b``; what has come in, and what was refused."""

    courier: Courier
    post: Post
    address: str
    received: list[tuple[Parcel, int]] = field(default_factory=list)
    refused: list[tuple[str, int, int, str]] = field(default_factory=list)


@dataclass
class Process:
    """A receiving process; see receiver.py."""

    popen: subprocess.Popen[str]
    address: str

    def told(self) -> dict[str, object]:
        """Return the next thing it tells."""
        return json.loads(self.popen.stdout.readline())


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="session")
def make_parcel() -> Callable[..., Parcel]:
    def make(**changes: object) -> Parcel:
        numbers = np.random.default_rng(1).normal(size=(6, 40)).astype(np.float32)
        values = {
            "run": "run", "job": 7, "attempt": 1, "step": 3, "source": "a", "target": "b",
            "payload": Payload("tokens", (0, 2), elements=240, tokens=6, blocks_done=4),
            "codec": "fp32", "queued_ns": 10, "start_ns": 20, "array": numbers,
        }  # fmt: skip
        return Parcel(**(values | changes))

    return make


@pytest.fixture(scope="session")
def large(make_parcel) -> Parcel:
    """A parcel of 12 MiB."""
    numbers = np.random.default_rng(2).normal(size=(1024, 3072)).astype(np.float32)
    return make_parcel(payload=Payload("tokens", (0,), numbers.size, 1024), array=numbers)


@pytest.fixture(scope="session")
def open_pair() -> Callable[..., object]:
    @asynccontextmanager
    async def pair(
        ours: Credentials | None = None,
        theirs: Credentials | None = None,
        limits: Limits = _USUAL,
        accept: Callable[[Parcel, int], Awaitable[None]] | None = None,
        address: str = "127.0.0.1:0",
        dilation: float = 1.0,
    ) -> AsyncIterator[Pair]:
        async def keep(parcel: Parcel, end_ns: int) -> None:
            one.received.append((parcel, end_ns))

        post = Post(limits)
        server = await serve(address, theirs, [post.handler()], limits)
        courier = Courier("a", ours, {"b": server.addresses[0]}, limits)
        one = Pair(courier, post, server.addresses[0])
        refused = one.refused.append
        post.open("run", "b", accept or keep, lambda *what: refused(what), dilation)
        post.know({"a", "b"})
        try:
            yield one
        finally:
            await courier.close()
            await server.stop(0)

    return pair


@pytest.fixture(scope="session")
def open_process() -> Callable[..., object]:
    @contextmanager
    def process(
        address: str = "127.0.0.1:0", folder: str = "-", *limits: str, errors: Path | None = None
    ) -> Iterator[Process]:
        command = [sys.executable, str(Path(__file__).with_name("receiver.py"))]
        with (
            (errors or Path("/dev/null")).open("w") as log,
            subprocess.Popen(
                [*command, address, folder, *limits], stdout=subprocess.PIPE, stderr=log, text=True
            ) as popen,
        ):
            try:
                yield Process(popen, json.loads(popen.stdout.readline())["address"])
            finally:
                popen.kill()

    return process


@pytest.fixture(scope="session")
def until() -> Callable[..., Awaitable[None]]:
    async def wait(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Return once ``condition`` holds; a test fails that waits in vain."""
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - it looks at another process, too
                await asyncio.sleep(0.01)

    return wait
