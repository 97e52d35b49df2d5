"""Weights that are pushed: believed only if they are what was announced."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from real_runner.control.messages import ORCHESTRATOR
from real_runner.control.weights import METHOD, WeightsHandler, push
from real_runner.errors import RealRunError
from real_runner.fleet.connection import channel_to, reach
from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.server import serve

CONTENT = bytes(range(256)) * 12_000  # three chunks
RIGHT = {"size_bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}


def with_worker(
    folder: Path,
    script: Callable[[Any, WeightsHandler], Any],
    ours: Credentials | None = None,
    theirs: Credentials | None = None,
) -> Any:
    """Run ``script(channel, handler)`` against a server that takes weights into ``folder``."""

    async def run() -> Any:
        handler = WeightsHandler(folder, secured=theirs is not None)
        server = await serve("127.0.0.1:0", theirs, [handler.handler()], Limits())
        channel = channel_to("a", server.addresses[0], ours)
        try:
            await reach("a", channel)
            return await script(channel, handler)
        finally:
            await channel.close()
            await server.stop(0)

    return asyncio.run(run())


def test_a_file_arrives_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)

    async def script(channel: Any, handler: WeightsHandler) -> None:
        assert handler.received is None
        await push(channel, tmp_path / "file", "a")
        assert handler.received is not None
        assert handler.received.read_bytes() == CONTENT

    with_worker(tmp_path, script)


@pytest.mark.parametrize(
    ("first", "content", "reason"),
    [
        (RIGHT | {"sha256": "0" * 64}, CONTENT, "checksum"),
        (RIGHT, CONTENT[:-1] + b"x", "checksum"),
        (RIGHT, CONTENT[:-1], "3071999 bytes arrived of 3072000 announced"),
        (RIGHT, CONTENT + b"x", "more than the 3072000 bytes announced arrived"),
        (RIGHT | {"size_bytes": -1}, CONTENT, "-1 bytes announced"),
        (RIGHT | {"size_bytes": 1 << 60}, CONTENT, "bytes announced"),
        ({"size_bytes": 1}, b"x", "sha256"),
        ([], b"x", "weights"),
    ],
)  # fmt: skip
def test_what_is_not_as_announced_is_refused_and_nothing_kept(
    tmp_path: Path, first: object, content: bytes, reason: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield json.dumps(first).encode()
        for start in range(0, len(content), 1 << 20):
            yield content[start : start + (1 << 20)]

    async def script(channel: Any, handler: WeightsHandler) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.stream_unary(METHOD)(chunks())
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason in refused.value.details()
        assert handler.received is None

    with_worker(tmp_path, script)
    assert list(tmp_path.iterdir()) == []


def test_only_the_orchestrator_pushes_weights(tmp_path: Path) -> None:
    authority = Authority.create()
    worker = authority.issue("a")
    (tmp_path / "file").write_bytes(CONTENT)
    taken = tmp_path / "taken"
    taken.mkdir()

    async def script(channel: Any, handler: WeightsHandler) -> object:
        await push(channel, tmp_path / "file", "a")
        return handler.received

    with pytest.raises(RealRunError, match="node 'a': "):
        with_worker(taken, script, authority.issue("b"), worker)
    assert list(taken.iterdir()) == []
    assert with_worker(taken, script, authority.issue(ORCHESTRATOR), worker)


def test_a_worker_that_is_not_who_it_should_be_is_told_from_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("real_runner.fleet.connection.REACH_TIMEOUT_S", 0.3)
    authority = Authority.create()
    ours = authority.issue(ORCHESTRATOR)

    async def nothing(channel: Any, handler: WeightsHandler) -> None:
        del channel, handler

    for theirs in (authority.issue("b"), Authority.create().issue("a")):
        with pytest.raises(RealRunError, match=r"node 'a': .* has not the credentials"):
            with_worker(tmp_path, nothing, ours, theirs)

    async def nobody() -> None:
        await reach("a", channel_to("a", "127.0.0.1:1", None))

    with pytest.raises(RealRunError, match=r"node 'a': .* is its worker running\?"):
        asyncio.run(nobody())
