"""Weights pushed to a worker: a file in raw chunks, believed only if its checksum is right."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from real_runner.control.messages import ORCHESTRATOR
from real_runner.errors import RealRunError
from real_runner.wire.server import peer_name

METHOD = "/tessera.Weights/Push"
CHUNK_BYTES = 1 << 20
LARGEST_BYTES = 16 << 30


class WeightsHandler:
    """Takes weights and keeps the last ones, as a safetensors file, in ``folder``."""

    def __init__(self, folder: Path, *, secured: bool) -> None:
        self.received: Path | None = None
        self._folder = folder
        self._secured = secured

    def handler(self) -> Any:
        """Return what a server serves."""
        push = grpc.stream_unary_rpc_method_handler(self._push)  # messages are plain bytes
        return grpc.method_handlers_generic_handler("tessera.Weights", {"Push": push})

    async def _push(self, chunks: AsyncIterator[bytes], context: Any) -> bytes:
        if self._secured and peer_name(context) != ORCHESTRATOR:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "weights: not from you")
        part = self._folder / "weights.part"
        try:
            await _write(chunks, part)
        except (ValueError, KeyError, TypeError, OSError) as error:
            part.unlink(missing_ok=True)
            async for _ in chunks:  # whose writing fails learns no reason
                continue
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"weights: {error}")
        self.received = part.rename(self._folder / "weights.safetensors")
        return b""


async def _write(chunks: AsyncIterator[bytes], part: Path) -> None:
    announced = json.loads(await anext(aiter(chunks), b""))
    size_bytes, checksum = int(announced["size_bytes"]), hashlib.sha256()
    if not 0 <= size_bytes <= LARGEST_BYTES:
        raise ValueError(f"{size_bytes} bytes announced; at most {LARGEST_BYTES} are taken")
    with part.open("wb") as file:
        async for chunk in chunks:
            checksum.update(chunk)
            file.write(chunk)
            if file.tell() > size_bytes:
                raise ValueError(f"more than the {size_bytes} bytes announced arrived")
        if file.tell() != size_bytes:
            raise ValueError(f"{file.tell()} bytes arrived of {size_bytes} announced")
    if checksum.hexdigest() != announced["sha256"]:
        raise ValueError("the SHA-256 checksum is not that of what arrived")


async def push(channel: Any, file: Path, node: str) -> None:
    """Send ``file`` to the worker at the other end; `RealRunError` where it is refused."""
    call = channel.stream_unary(METHOD)
    try:
        await call(_read(file))
    except grpc.aio.AioRpcError as error:
        raise RealRunError(f"node {node!r}: {error.details()}") from error


async def _read(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size_bytes = opened.seek(0, os.SEEK_END)
        announced = {"size_bytes": size_bytes, "sha256": digest}
        yield json.dumps(announced).encode()
        opened.seek(0)
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk
