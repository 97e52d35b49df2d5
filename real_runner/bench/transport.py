"""How fast tensors travel between two processes: ``python -m real_runner.bench.transport``.

The floor is bare asyncio streams: a length in eight bytes, the tensor's bytes in the same chunks,
one byte of answer, nothing checked. Beside it the courier, without and with TLS, sends the same
fp32 numbers; every round times each of them, in an order drawn anew, so that what else the machine
does, and what each leaves in the caches, meets all alike. Medians, and ratios of throughput to the
floor's. Two ways stand apart: asyncio streams over TLS, to tell what encryption costs by itself,
and the courier with the codec fp16, which halves what travels and converts it at both ends.
"""

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from real_runner.executor import Array
from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import KIB, MIB, Limits
from real_runner.wire.parcel import Parcel
from real_runner.wire.receiving import Post
from real_runner.wire.sending import Courier
from real_runner.wire.server import serve
from workloads.stage import Payload

SIZES_BYTES = (KIB, 256 * KIB, 4 * MIB, 12 * MIB)
WARM_UP, LEAST_ROUNDS, MOST_ROUNDS, BYTES_PER_SIZE = 5, 80, 400, 1 << 29
TIMEOUT_S = 60.0
SEED = 20

_FLOOR, _LAST = "asyncio streams", "courier, fp16"
_LENGTH_BYTES = 8

Send = Callable[[Array], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way of sending at one size; ``ratio`` is that of its throughput to the floor's."""

    size_bytes: int
    name: str
    median_s: float
    ratio: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m real_runner.bench.transport",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chunk-bytes", type=int, default=Limits().chunk_bytes)
    parser.add_argument("--receive", type=Path, metavar="CREDENTIALS", help="be the other process")
    options = parser.parse_args(arguments)
    limits = Limits(chunk_bytes=options.chunk_bytes)
    torch.set_num_threads(1)  # as workers do, one per node
    if options.receive:
        asyncio.run(_receive_all(options.receive, limits))
    else:
        Console().print(_table(measured(limits)))
    return 0


def measured(limits: Limits) -> list[Row]:
    """Start the receiving process, send to it in every way at every size, and stop it."""
    authority = Authority.create()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "a"), Path(folder, "b")
        authority.issue("a").save(ours)
        authority.issue("b").save(theirs)
        with _receiver(theirs, limits) as receiver:
            try:
                ports = _Ports(**json.loads(receiver.stdout.readline()))  # type: ignore[union-attr]
                return asyncio.run(_measure_all(ports, ours, limits))
            finally:
                receiver.terminate()


def _receiver(folder: Path, limits: Limits) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "real_runner.bench.transport",
        "--chunk-bytes", str(limits.chunk_bytes), "--receive", str(folder),
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where the receiving process serves which way."""

    bare: int
    bare_tls: int
    clear: str
    sealed: str


async def _measure_all(ports: _Ports, folder: Path, limits: Limits) -> list[Row]:
    host = "127.0.0.1"
    bare = await asyncio.open_connection(host, ports.bare)
    bare_tls = await asyncio.open_connection(
        host, ports.bare_tls, ssl=_tls(folder, ssl.Purpose.SERVER_AUTH), server_hostname="b"
    )
    clear = Courier("a", None, {"b": ports.clear}, limits)
    sealed = Courier("a", Credentials.load(folder), {"b": ports.sealed}, limits)
    ways: dict[str, Send] = {
        _FLOOR: partial(_send_bare, *bare, limits.chunk_bytes),
        "courier": partial(_send, clear, "fp32"),
        "courier, TLS": partial(_send, sealed, "fp32"),
        "asyncio streams, TLS": partial(_send_bare, *bare_tls, limits.chunk_bytes),
        _LAST: partial(_send, clear, "fp16"),
    }
    try:
        return [row for size in SIZES_BYTES for row in await _measure(ways, size)]
    finally:
        for _, writer in (bare, bare_tls):
            writer.close()
        await clear.close()
        await sealed.close()


async def _measure(ways: dict[str, Send], size_bytes: int) -> list[Row]:
    """Time each way once a round."""
    generator = np.random.default_rng(SEED)
    numbers = generator.normal(size=(4, size_bytes // 16)).astype(np.float32)
    names = list(ways)
    times_s: dict[str, list[float]] = {name: [] for name in names}
    rounds = max(LEAST_ROUNDS, min(MOST_ROUNDS, BYTES_PER_SIZE // size_bytes))
    for number in range(WARM_UP + rounds):
        generator.shuffle(names)
        for name in names:
            start_s = time.perf_counter()
            await ways[name](numbers)
            if number >= WARM_UP:
                times_s[name].append(time.perf_counter() - start_s)
    medians_s = {name: median(times) for name, times in times_s.items()}
    return [
        Row(size_bytes, name, medians_s[name], medians_s[_FLOOR] / medians_s[name]) for name in ways
    ]


async def _send(courier: Courier, codec: str, numbers: Array) -> None:
    payload = Payload("tokens", (0,), elements=numbers.size, tokens=len(numbers))
    parcel = Parcel("bench", 0, 0, 0, "a", "b", payload, codec, 0, 0, numbers)
    await courier.send(parcel, TIMEOUT_S)


async def _send_bare(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chunk_bytes: int, numbers: Array
) -> None:
    view = numbers.data.cast("B")
    writer.write(len(view).to_bytes(_LENGTH_BYTES, "little"))
    for start in range(0, len(view), chunk_bytes):
        writer.write(view[start : start + chunk_bytes])
        await writer.drain()
    await reader.readexactly(1)


async def _receive_all(folder: Path, limits: Limits) -> None:
    receive, host = partial(_receive_bare, limits.chunk_bytes), "127.0.0.1"
    bare = await asyncio.start_server(receive, host, 0)
    tls = _tls(folder, ssl.Purpose.CLIENT_AUTH)
    bare_tls = await asyncio.start_server(receive, host, 0, ssl=tls)
    post = Post(limits)
    post.open("bench", "b", _accept, _refused)
    post.know({"a"})
    clear = await serve(f"{host}:0", None, [post.handler()], limits)
    sealed = await serve(f"{host}:0", Credentials.load(folder), [post.handler()], limits)
    port, port_tls = (server.sockets[0].getsockname()[1] for server in (bare, bare_tls))
    ports = _Ports(port, port_tls, clear.addresses[0], sealed.addresses[0])
    print(json.dumps(asdict(ports)), flush=True)
    await asyncio.Event().wait()


def _tls(folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    """Return mutual TLS for asyncio, with the same certificates as the courier's."""
    context = ssl.create_default_context(purpose, cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _receive_bare(
    chunk_bytes: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(asyncio.IncompleteReadError):  # the sender has left
        while True:
            size_bytes = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "little")
            view, filled = np.empty(size_bytes, np.uint8).data, 0
            while filled < size_bytes:
                chunk = await reader.readexactly(min(chunk_bytes, size_bytes - filled))
                view[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
            writer.write(b"\0")
            await writer.drain()
    writer.close()


async def _accept(parcel: Parcel, end_ns: int) -> None:
    del parcel, end_ns


def _refused(source: str, job: int, step: int, reason: str) -> None:
    raise AssertionError(f"{source}, job {job}, step {step}: {reason}")


def _table(rows: Sequence[Row]) -> Table:
    table = Table("bytes", "way", "median ms", "MB/s", "ratio", title=f"{_FLOOR}: ratio 1")
    for column in (table.columns[0], *table.columns[2:]):
        column.justify = "right"
    for row in rows:
        table.add_row(
            f"{row.size_bytes:,}",
            row.name,
            f"{row.median_s * 1e3:.2f}",
            f"{row.size_bytes / row.median_s / 1e6:,.0f}",
            f"{row.ratio:.2f}",
            end_section=row.name == _LAST,
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
