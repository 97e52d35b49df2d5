"""A receiver among peers that lie: it refuses each, keeps its memory, and serves the next one."""

import asyncio
import itertools
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import grpc
import numpy as np
import psutil
import pytest
import xxhash
import zstandard

from real_runner.wire.frames import OPENING, PART, frames, read_receipt, stop
from real_runner.wire.headers import write_header
from real_runner.wire.intake import UNKNOWN
from real_runner.wire.limits import Limits
from real_runner.wire.messages import load
from real_runner.wire.parcel import METHOD, VERSION
from real_runner.wire.sending import Courier, Undelivered, _write
from workloads.codec import CODECS
from workloads.stage import Payload

MIB = 1 << 20
HEADER = load("real_runner/wire/parcel.proto").Header
Code = grpc.StatusCode
Messages = Iterator[bytes]
MESSAGES = 1000
LIMITS = {"flight_bytes": 64 * MIB, "parcel_bytes": 8 * MIB, "flight_parcels": 64}
MAY_GROW_BYTES = LIMITS["flight_bytes"] + 128 * MIB  # promised, and what gRPC itself buffers


class Liar:
    """Makes streams that are wrong in one way each, from one that is right."""

    def __init__(self, parcel, generator: np.random.Generator) -> None:
        written = _write(parcel, compress=False)
        self.header = HEADER.FromString(written.header)
        self.content = written.content.tobytes()
        self.draw = generator

    def stream(self, *chunks: bytes, **changes: object) -> Messages:
        header = HEADER.FromString(self.header.SerializeToString())
        for name, value in changes.items():
            setattr(header, name, value)
        yield header.SerializeToString()
        yield from chunks

    def nothing(self) -> Messages:
        yield b""

    def noise(self) -> Messages:
        yield self.draw.bytes(int(self.draw.integers(1, 500)))
        yield self.content

    def long_header(self) -> Messages:
        yield self.header.SerializeToString() + self.draw.bytes(200_000)

    def truncated_header(self) -> Messages:
        whole = self.header.SerializeToString()
        times = 6  # bytes at the end; without them it is a header still
        yield whole[: int(self.draw.integers(0, len(whole) - times))]
        yield self.content

    def truncated(self) -> Messages:
        end = int(self.draw.integers(0, len(self.content)))
        return self.stream(*filter(None, [self.content[:end]]))

    def more(self) -> Messages:
        return self.stream(self.content, self.draw.bytes(int(self.draw.integers(1, 5000))))

    def endless(self) -> Messages:
        yield from self.stream(self.content)
        while True:
            yield bytes(MIB)

    def endless_nothing(self) -> Messages:
        yield from self.stream()
        while True:
            yield b""

    def oversized_message(self) -> Messages:
        return self.stream(bytes(5 * MIB))

    def damaged(self) -> Messages:
        content = bytearray(self.content)
        content[int(self.draw.integers(len(content)))] ^= 1 << int(self.draw.integers(8))
        return self.stream(Damaged(content))

    def lying_size(self) -> Messages:
        size = int(self.draw.choice([-1, 0, 1, 959, 961, 1 << 40, 1 << 62]))
        return self.stream(self.content, size_bytes=size)

    def promised_and_kept_back(self) -> Messages:
        side = 1024
        payload = {"tensor": "tokens", "elements": side * side, "tokens": side}
        header = HEADER.FromString(self.header.SerializeToString())
        header.payload.CopyFrom(type(header.payload)(**payload))
        header.shape[:] = [side, side]
        header.size_bytes = 4 * side * side
        yield header.SerializeToString()
        yield b"little"

    def wrong_shape(self) -> Messages:
        header = HEADER.FromString(self.header.SerializeToString())
        header.shape[:] = [int(side) for side in self.draw.integers(-9, 1 << 40, 2)]
        yield header.SerializeToString()
        yield self.content

    def wrong_name(self) -> Messages:
        name = str(self.draw.choice(["run", "source", "target", "codec", "compression", "dtype"]))
        return self.stream(self.content, **{name: "x" * int(self.draw.integers(1, 2000))})

    def wrong_version(self) -> Messages:
        return self.stream(self.content, version=VERSION + int(self.draw.integers(1, 1 << 20)))

    def wrong_payload(self) -> Messages:
        header = HEADER.FromString(self.header.SerializeToString())
        name = str(self.draw.choice(["elements", "tokens", "fixed_bytes"]))
        setattr(header.payload, name, int(self.draw.choice([-1, 7, 1 << 40, 1 << 62])))
        yield header.SerializeToString()
        yield self.content

    def bomb(self) -> Messages:
        frame = zstandard.ZstdCompressor().compress(bytes(100 * MIB))
        header = HEADER.FromString(self.header.SerializeToString())
        header.payload.CopyFrom(type(header.payload)(tensor="mask", fixed_bytes=8 * MIB))
        header.dtype, header.compression, header.size_bytes = "uint8", "zstd", len(frame)
        header.shape[:] = [8 * MIB]
        yield header.SerializeToString()
        yield frame

    def no_frame(self) -> Messages:
        part = self.content[:500]
        return self.stream(part, compression="zstd", size_bytes=500)

    def flipped_header(self) -> Messages:
        header = bytearray(self.header.SerializeToString())
        for place in self.draw.integers(0, len(header), int(self.draw.integers(1, 4))):
            header[place] = int(self.draw.integers(256))
        yield bytes(header)
        yield self.content

    def lies(self) -> list[Callable[[], Messages]]:
        """Return all of them, which tell of themselves as methods without arguments."""
        apart = {"lies", "stream", "flipped_header"}
        names = [name for name in vars(Liar) if not name.startswith("_") and name not in apart]
        return [getattr(self, name) for name in names]


class Damaged(bytes):
    """What something happened to after it was summed up."""


def opening(ticket: int, header: bytes, *, is_last: bool = True) -> bytes:
    numbers = OPENING, is_last, ticket, xxhash.xxh3_64_intdigest(b""), 10**11, len(header)
    return struct.pack("<BBQQQI", *numbers) + header


def part(ticket: int, content: bytes = b"", *, is_last: bool = True) -> bytes:
    checksum = 42 if isinstance(content, Damaged) else xxhash.xxh3_64_intdigest(content)
    return struct.pack("<BBQQ", PART, is_last, ticket, checksum) + content


def framed(messages: Messages, ticket: int = 1) -> Messages:
    """Put a header and what follows it on a stream, as one parcel."""
    header, *following = itertools.islice(messages, 2)
    yield opening(ticket, header, is_last=not following)
    while following:
        content, *following = (*following, *itertools.islice(messages, 1))
        yield part(ticket, content, is_last=not following)


async def deliver(channel: grpc.aio.Channel, messages: Messages) -> grpc.StatusCode:
    """Send all of it, or until the receiver has ended the stream; return what it said first."""
    call = channel.stream_stream(METHOD)()
    reading = asyncio.create_task(first_answer(call))
    try:
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            for message in framed(messages):
                await call.write(message)
        return await asyncio.wait_for(reading, 20)
    finally:
        call.cancel()


async def first_answer(call) -> grpc.StatusCode:
    try:
        return read_receipt(await call.read())[1]
    except grpc.aio.AioRpcError as error:
        return error.code()


@pytest.mark.long
def test_a_thousand_lies_are_refused_and_the_truth_is_heard_after(
    open_process, make_parcel, tmp_path
):
    parcel, codes, sizes_bytes = make_parcel(), {}, []

    async def lie(channel, number):
        lies = Liar(parcel, np.random.default_rng(number)).lies()
        kind = lies[number % len(lies)]
        codes.setdefault(kind.__name__, Counter())[await deliver(channel, kind())] += 1

    async def lie_all(process):
        memory = psutil.Process(process.popen.pid)
        draining = asyncio.create_task(asyncio.to_thread(process.popen.stdout.read))
        async with grpc.aio.insecure_channel(process.address) as channel:
            for first in range(0, MESSAGES, 25):
                numbers = range(first, min(first + 25, MESSAGES))
                await asyncio.gather(*(lie(channel, number) for number in numbers))
                sizes_bytes.append(memory.memory_info().rss)
            assert process.popen.poll() is None
            liar = Liar(parcel, np.random.default_rng(5))
            process.alive = await deliver(channel, liar.stream(liar.content))
        process.popen.kill()
        process.told_all = await draining

    limits = [f"{name}={value}" for name, value in LIMITS.items()]
    with open_process("127.0.0.1:0", "-", *limits, errors=tmp_path / "errors") as process:
        asyncio.run(lie_all(process))

    assert process.alive is Code.OK
    assert sum(map(Counter.total, codes.values())) == MESSAGES
    proper = {
        Code.INVALID_ARGUMENT, Code.DATA_LOSS, Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED,
    }  # fmt: skip
    assert {kind: set(seen) - proper for kind, seen in codes.items() if set(seen) - proper} == {}
    assert codes["bomb"].keys() == codes["no_frame"].keys() == {Code.INVALID_ARGUMENT}
    assert process.told_all.count('"digest"') == 1
    assert process.told_all.count('"refused"') >= MESSAGES * 0.9
    assert max(sizes_bytes) - sizes_bytes[0] < MAY_GROW_BYTES
    assert sizes_bytes[-1] - sizes_bytes[len(sizes_bytes) // 4] < 64 * MIB  # nothing piles up
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_damaged_headers_are_harmless_or_refused(open_process, make_parcel, tmp_path):
    liar = Liar(make_parcel(), np.random.default_rng(6))

    async def lie(process):
        async with grpc.aio.insecure_channel(process.address) as channel:
            codes = [await deliver(channel, liar.flipped_header()) for _ in range(200)]
            return codes, await deliver(channel, liar.stream(liar.content))

    with open_process(errors=tmp_path / "errors") as process:
        codes, last = asyncio.run(lie(process))
    assert last is Code.OK
    assert set(codes) <= {
        Code.OK, Code.INVALID_ARGUMENT, Code.DATA_LOSS, Code.PERMISSION_DENIED,
        Code.RESOURCE_EXHAUSTED,
    }  # fmt: skip
    assert codes.count(Code.OK) < len(codes) / 2
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_one_lie_differs_from_the_truth_in_one_thing_only(make_parcel, open_process):
    """Were the liar's truth refused, refusing its lies would prove nothing."""
    parcel = make_parcel()
    liar = Liar(parcel, np.random.default_rng(7))
    truth = list(liar.stream(liar.content))
    assert truth[0] == write_header(parcel, len(liar.content), compressed=False)

    async def tell_it(process):
        async with grpc.aio.insecure_channel(process.address) as channel:
            return await deliver(channel, iter(truth))

    with open_process() as process:
        assert asyncio.run(tell_it(process)) is Code.OK


def test_streams_that_break_off_leave_nothing_behind(open_pair, large, until):
    async def break_off():
        async with open_pair() as pair:
            message = await pair.courier._written(large, compress=False)
            line = await pair.courier._line("b")
            for sent in (1, 2, 6):
                call = line.channel.stream_stream(METHOD)()
                messages = frames(1, 30.0, message.header, message.content.data, MIB)
                for part in itertools.islice(messages, sent):
                    await call.write(part)
                await until(lambda: pair.post.room.held_bytes)
                call.cancel()
                await until(lambda: not pair.post.room.held_bytes and not pair.post.room.parcels)
            await pair.courier.send(large, 30.0)
            return pair

    pair = asyncio.run(break_off())
    assert (len(pair.received), pair.refused) == (1, [])


STRAY = {
    "frame: 3 bytes are too few": [b"abc"],
    "frame: 18 bytes are too few": [opening(1, b"")[:18]],
    "frame: kind 9 is unknown": [b"\x09" + part(1)[1:]],
    "frame: 30 bytes, a header of 7 is to be in them": [opening(1, b"7 bytes")[:30]],
    "frame: ticket 1 belongs to no parcel": [part(1, b"content")],
    "frame: ticket 4 belongs to no parcel": [stop(4)],
    "frame: ticket 7 comes after 7": [opening(7, b""), opening(7, b"")],
    "frame: ticket 8 goes on after its end": [opening(8, b""), part(8, b"content")],
    "frame: ticket 9 goes on after its end|endless": [
        opening(9, b"", is_last=False),
        *[part(9, bytes(MIB), is_last=False)] * 9,
    ],
    "frame: ticket 9 goes on after its end|tiny": [
        opening(9, b"", is_last=False),
        *[part(9, is_last=False)] * 3000,
    ],
}


@pytest.mark.parametrize("reason", STRAY)
def test_a_message_of_no_parcel_ends_its_stream_and_no_other(open_pair, make_parcel, reason):
    async def stray():
        async with open_pair(limits=Limits(parcel_bytes=8 * MIB)) as pair:
            await pair.courier.send(make_parcel(), 30.0)
            call = (await pair.courier._line("b")).channel.stream_stream(METHOD)()
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                for message in STRAY[reason]:
                    await call.write(message)
                while await call.read() is not grpc.aio.EOF:
                    pass
            await pair.courier.send(make_parcel(), 30.0)
            return await call.code(), pair

    code, pair = asyncio.run(stray())
    assert code in {Code.INVALID_ARGUMENT, Code.INTERNAL}  # the latter where writing fails first
    assert pair.refused[-1] == ("", UNKNOWN, UNKNOWN, reason.split("|")[0])
    assert len(pair.received) == 2


def test_who_reads_no_receipts_is_not_listened_to_for_ever(open_pair, make_parcel):
    """Its writes come to wait, and the receiver holds no more than a few tasks for it."""
    written = _write(make_parcel(run="x" * 600), compress=False)

    async def write_all(call):
        for ticket in range(1, 100_000):
            (message,) = frames(ticket, 30.0, written.header, written.content.data, MIB)
            await call.write(message)

    async def flood():
        async with open_pair() as pair:
            call = (await pair.courier._line("b")).channel.stream_stream(METHOD)()
            writing = asyncio.create_task(write_all(call))
            ended, _ = await asyncio.wait([writing], timeout=2.0)
            tasks = len(asyncio.all_tasks())
            call.cancel()
            await asyncio.wait([writing])
            return ended, tasks

    ended, tasks = asyncio.run(flood())
    assert not ended
    assert tasks < 20


def test_bytes_on_the_wire_are_those_that_the_plan_counts(make_parcel):
    for codec in CODECS.values():
        parcel = make_parcel(codec=codec.name)
        assert _write(parcel, compress=False).content.size == parcel.payload.encoded_bytes(codec)
    pixels = make_parcel(
        payload=Payload("pixels", (0,), fixed_bytes=75.0), array=np.zeros(75, np.uint8)
    )
    assert _write(pixels, compress=False).content.size == 75


def test_a_courier_does_not_wait_for_a_receiver_that_died_midway(open_process, large):
    async def send(process):
        courier = Courier("a", None, {"b": process.address}, process.limits)
        sending = asyncio.create_task(courier.send(large, 1.5))
        await asyncio.sleep(0)
        process.popen.kill()
        try:
            await sending
        finally:
            await courier.close()

    with open_process() as process:
        process.limits = Limits(chunk_bytes=1024)
        with pytest.raises(Undelivered) as caught:
            asyncio.run(send(process))
    assert caught.value.kind == "unreachable"
