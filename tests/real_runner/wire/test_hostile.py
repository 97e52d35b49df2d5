"""A receiver among peers that lie: it refuses each, keeps its memory, and serves the next one."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import psutil
import pytest
import xxhash
import zstandard

from real_runner.wire.headers import write_header
from real_runner.wire.limits import Limits
from real_runner.wire.messages import load
from real_runner.wire.parcel import METHOD, VERSION
from real_runner.wire.sending import Courier, Undelivered, _deliver, _UndoneError, _write
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
        return iter(())

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
        return self.stream(bytes(content))

    def wrong_checksum(self) -> Messages:
        return self.stream(self.content, checksum=int(self.draw.integers(1 << 62)))

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
        header.checksum = xxhash.xxh3_64_intdigest(frame)
        header.shape[:] = [8 * MIB]
        yield header.SerializeToString()
        yield frame

    def no_frame(self) -> Messages:
        part = self.content[:500]
        checksum = xxhash.xxh3_64_intdigest(part)
        return self.stream(part, compression="zstd", size_bytes=500, checksum=checksum)

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


async def deliver(channel: grpc.aio.Channel, messages: Messages) -> grpc.StatusCode:
    """Send until the receiver has said no; return how it put it."""
    try:
        await _deliver(channel, messages, 20)
    except _UndoneError as error:
        return error.code
    return Code.OK


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
    assert sizes_bytes[-1] - sizes_bytes[len(sizes_bytes) // 4] < 32 * MIB  # nothing piles up
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
    checksum = liar.header.checksum
    assert truth[0] == write_header(parcel, len(liar.content), checksum, compressed=False)

    async def tell_it(process):
        async with grpc.aio.insecure_channel(process.address) as channel:
            return await deliver(channel, iter(truth))

    with open_process() as process:
        assert asyncio.run(tell_it(process)) is Code.OK


def test_streams_that_break_off_leave_nothing_behind(open_pair, large, until):
    async def break_off():
        async with open_pair() as pair:
            message = await pair.courier._written(large, compress=False)
            channel = await pair.courier._channel("b")
            for kept in (0, 1, MIB, 5 * MIB):
                call = channel.stream_unary(METHOD)()
                await call.write(message.header)
                for start in range(0, kept, MIB):
                    await call.write(message.content[start : start + MIB].tobytes()[:kept])
                await until(lambda: pair.post.room.held_bytes)
                call.cancel()
                await until(lambda: not pair.post.room.held_bytes and not pair.post.room.parcels)
            await pair.courier.send(large, 30.0)
            return pair

    pair = asyncio.run(break_off())
    assert (len(pair.received), pair.refused) == (1, [])


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
