"""Parcels from one node to the other over real sockets."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from real_runner.errors import RealRunError, StepError
from real_runner.wire.frames import frames, read_receipt, stop
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import METHOD
from real_runner.wire.receiving import Post
from real_runner.wire.sending import Courier, Undelivered
from real_runner.wire.server import serve
from workloads.codec import CODECS
from workloads.stage import Payload

PLENTY_S = 30.0


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_every_codec_and_kind_of_payload_arrives(
    open_pair, make_parcel, authority, secure, compress
):
    numbers = make_parcel().array
    zeros = np.zeros((64, 512), np.float32)
    parcels = [make_parcel(codec=codec) for codec in CODECS] + [
        make_parcel(array=numbers.astype(np.float64), codec="fp64"),
        make_parcel(array=numbers.astype(np.float16), codec="fp16"),
        make_parcel(payload=Payload("tokens", (), zeros.size, 64), array=zeros, codec="int8"),
        make_parcel(payload=Payload("means", (0,), 240, 6, summary=True, mixes=True)),
        make_parcel(payload=Payload("mask", fixed_bytes=9.5), array=np.arange(12, dtype=np.uint8)),
        make_parcel(payload=Payload("none"), array=np.zeros(0, np.uint8)),
    ]

    async def send_all():
        ours, theirs = (authority.issue(node) if secure else None for node in "ab")
        async with open_pair(ours, theirs) as pair:
            for parcel in parcels:
                await pair.courier.send(parcel, PLENTY_S, compress=compress)
            return pair

    pair = run(send_all())
    assert pair.refused == []
    for sent, (got, end_ns) in zip(parcels, pair.received, strict=True):
        assert (got.payload, got.codec, got.job, got.start_ns) == (
            sent.payload, sent.codec, sent.job, sent.start_ns,
        )  # fmt: skip
        assert (got.array.dtype, got.array.shape) == (sent.array.dtype, sent.array.shape)
        loss = {"fp8": 0.2, "int8": 0.02, "int4": 0.3, "fp16": 2e-3}.get(sent.codec, 0)
        np.testing.assert_allclose(got.array, sent.array, atol=loss)
        assert 0 < end_ns <= time.monotonic_ns()
        expected = sent.payload.encoded_bytes(CODECS[sent.codec])
        if compress or sent.payload.tensor == "mask":
            assert got.size_bytes <= max(expected, sent.array.nbytes)
        else:
            assert got.size_bytes == expected
    assert pair.post.room.held_bytes == pair.post.room.parcels == 0


def test_what_compresses_well_travels_compressed(open_pair, make_parcel):
    zeros = np.zeros((64, 512), np.float32)
    parcel = make_parcel(payload=Payload("tokens", (), zeros.size, 64), array=zeros)

    async def send():
        async with open_pair() as pair:
            await pair.courier.send(parcel, PLENTY_S, compress=True)
            return pair.received[0][0]

    got = run(send())
    assert got.size_bytes < 500
    np.testing.assert_array_equal(got.array, zeros)


def test_large_parcels_arrive_whole_and_side_by_side(open_pair, large):
    async def send():
        async with open_pair() as pair:
            await asyncio.gather(*(pair.courier.send(large, PLENTY_S) for _ in range(4)))
            return pair.received

    for got, _ in run(send()):
        np.testing.assert_array_equal(got.array, large.array)
        got.array[0, 0] = 1.0  # it is the receiver's own


@pytest.mark.parametrize("fresh", [False, True])
def test_one_stream_is_kept_unless_a_fresh_one_is_asked_for(open_pair, make_parcel, fresh):
    peers = []

    async def send():
        async with open_pair() as pair:
            carry = pair.post._carry

            async def noting(stream, context):
                peers.append(context.peer())
                await carry(stream, context)

            post = grpc.stream_stream_rpc_method_handler(noting)
            handler = grpc.method_handlers_generic_handler("tessera.Post", {"Carry": post})
            server = await serve("127.0.0.1:0", None, [handler], Limits())
            pair.courier._addresses["b"] = server.addresses[0]
            for _ in range(3):
                await pair.courier.send(make_parcel(), PLENTY_S, fresh=fresh)
            await pair.courier.close()
            await server.stop()

    run(send())
    assert len(peers) == len(set(peers)) == (3 if fresh else 1)


def test_a_node_that_moves_is_followed(open_pair, make_parcel):
    async def send():
        async with open_pair() as first, open_pair() as second:
            await first.courier.send(make_parcel(), PLENTY_S)
            first.courier._addresses["b"] = second.address
            await first.courier.send(make_parcel(job=8), PLENTY_S)
            return first.received, second.received

    first, second = run(send())
    assert [parcel.job for parcel, _ in first + second] == [7, 8]


def test_parcels_travel_over_unix_sockets(open_pair, make_parcel, tmp_path):
    async def send():
        async with open_pair(address=f"unix:{tmp_path}/post") as pair:
            await pair.courier.send(make_parcel(), PLENTY_S)
            return pair

    pair = run(send())
    assert pair.address == f"unix:{tmp_path}/post"
    assert len(pair.received) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run": "other"}, "run 'other'; this node is in run 'run'"),
        ({"source": "c"}, "source 'c' is no node of this run"),
    ],
)
def test_what_is_not_meant_for_this_node_is_refused_and_told(
    open_pair, make_parcel, changes, reason
):
    async def send():
        async with open_pair() as pair:
            with pytest.raises(Undelivered, match=reason) as caught:
                await pair.courier.send(make_parcel(**changes), PLENTY_S)
            await pair.courier.send(make_parcel(), PLENTY_S)
            return caught.value, pair

    error, pair = run(send())
    assert error.kind == "refused"
    assert [(job, step) for _, job, step, _ in pair.refused] == [(7, 3)]
    assert reason in pair.refused[0][3]
    assert len(pair.received) == 1


def test_a_large_parcel_refused_at_its_header_tells_why_every_time(open_pair, large):
    async def send():
        async with open_pair(limits=Limits(chunk_bytes=1 << 16)) as pair:
            pair.post.know(())
            for _ in range(40):
                with pytest.raises(Undelivered, match="source 'a' is no node of this run"):
                    await pair.courier.send(large, PLENTY_S)

    run(send())


def test_a_parcel_the_worker_has_no_use_for_is_refused_with_its_reason(open_pair, make_parcel):
    async def no_use(parcel, _):
        raise StepError(f"request {parcel.job} is over")

    async def send():
        async with open_pair(accept=no_use) as pair:
            with pytest.raises(Undelivered, match="refused: request 7 is over"):
                await pair.courier.send(make_parcel(), PLENTY_S)
            return pair.refused

    assert run(send()) == [("a", 7, 3, "request 7 is over")]


def test_a_node_in_no_run_takes_nothing(make_parcel):
    async def send():
        server = await serve("127.0.0.1:0", None, [Post(Limits()).handler()], Limits())
        courier = Courier("a", None, {"b": server.addresses[0]}, Limits())
        with pytest.raises(Undelivered, match="refused: this node takes part in no run"):
            await courier.send(make_parcel(), PLENTY_S)
        await courier.close()
        await server.stop()

    run(send())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"array": np.zeros((40, 6), np.float32)}, "it should be"),
        ({"array": np.zeros((6, 40), np.int32)}, "int32"),
        ({"payload": Payload("mask", fixed_bytes=3)}, "bytes travel as a uint8 vector"),
        ({"array": np.full((6, 40), 1e9, np.float32), "codec": "fp16"}, "cannot hold 1e"),
    ],
)
def test_what_cannot_be_written_never_leaves(open_pair, make_parcel, changes, reason):
    async def send():
        async with open_pair() as pair:
            with pytest.raises(StepError, match=reason):
                await pair.courier.send(make_parcel(**changes), PLENTY_S)
            return pair.refused

    assert run(send()) == []


@pytest.mark.parametrize("limit", [{"flight_parcels": 1}, {"flight_bytes": 3000}])
def test_more_than_may_be_under_way_is_turned_away(open_pair, make_parcel, until, limit):
    gate = asyncio.Event()

    async def slowly(*_):
        await gate.wait()

    async def send():
        async with open_pair(limits=Limits(**limit), accept=slowly) as pair:
            first = asyncio.create_task(pair.courier.send(make_parcel(), PLENTY_S))
            await until(lambda: pair.post.room.held_bytes)
            with pytest.raises(Undelivered, match="under way to this node") as caught:
                await pair.courier.send(make_parcel(), PLENTY_S)
            gate.set()
            await first
            return caught.value, pair.post.room

    error, room = run(send())
    assert error.kind == "exhausted"
    assert room.held_bytes == room.parcels == 0


@pytest.mark.parametrize("by", ["a stop", "the stream's end", "cancellation"])
def test_a_parcel_taken_back_midway_frees_its_memory(open_pair, large, until, by):
    async def send():
        async with open_pair() as pair:
            line = await pair.courier._line("b")
            message = await pair.courier._written(large, compress=False)
            call = line.channel.stream_stream(METHOD)()
            messages = frames(1, PLENTY_S, message.header, message.content.data, 1 << 20)
            await call.write(next(messages))
            await until(lambda: pair.post.room.held_bytes)
            if by == "a stop":
                await call.write(stop(1))
            elif by == "cancellation":
                call.cancel()
            else:
                await call.done_writing()
            await until(lambda: not pair.post.room.held_bytes and not pair.post.room.parcels)
            return pair.received, pair.refused

    assert run(send()) == ([], [])


def test_cancelling_reaches_the_worker_and_frees_its_memory(open_pair, large, until):
    noticed = []

    async def forever(parcel, _):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            noticed.append(parcel.job)
            raise

    async def send():
        async with open_pair(accept=forever) as pair:
            sending = asyncio.create_task(pair.courier.send(large, PLENTY_S))
            await until(lambda: pair.post.room.held_bytes)
            await asyncio.sleep(0.2)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await until(lambda: not pair.post.room.held_bytes and not pair.post.room.parcels)
            return pair.received, pair.refused

    assert run(send()) == ([], [])
    assert noticed == [7]


@pytest.mark.parametrize("secure", [False, True])
def test_a_cancelled_parcel_harms_none_beside_or_after_it(
    open_pair, large, make_parcel, authority, secure
):
    """Wherever it stood, and on one and the same stream."""

    async def send():
        ours, theirs = (authority.issue(node) if secure else None for node in "ab")
        async with open_pair(ours, theirs, limits=Limits(chunk_bytes=1 << 16)) as pair:
            await pair.courier.send(make_parcel(job=0), PLENTY_S)
            stream = (await pair.courier._line("b")).open_stream()
            for turns in range(60):
                sending = asyncio.create_task(pair.courier.send(large, PLENTY_S))
                beside = asyncio.create_task(pair.courier.send(make_parcel(job=100), PLENTY_S))
                for _ in range(turns):
                    await asyncio.sleep(0)
                cancelled = sending.cancel()
                await asyncio.gather(sending, beside, return_exceptions=True)
                assert not cancelled or sending.cancelled()
                assert beside.exception() is None
                await pair.courier.send(make_parcel(job=200), PLENTY_S)
            assert (await pair.courier._line("b")).open_stream() is stream
            return pair

    pair = run(send())
    jobs = Counter(parcel.job for parcel, _ in pair.received)
    assert (jobs[100], jobs[200]) == (60, 60)
    assert (pair.refused, pair.post.room.held_bytes, pair.post.room.parcels) == ([], 0, 0)


def test_a_refused_parcel_harms_none_beside_it(open_pair, large, make_parcel):
    async def send():
        async with open_pair(limits=Limits(chunk_bytes=1 << 16)) as pair:
            sent = [
                pair.courier.send(parcel, PLENTY_S)
                for job in range(20)
                for parcel in (make_parcel(job=job), replace(large, run="other"), large)
            ]
            ends = await asyncio.gather(*sent, return_exceptions=True)
            return ends, pair

    ends, pair = run(send())
    assert [type(end) for end in ends] == [type(None), Undelivered, type(None)] * 20
    assert len(pair.received) == 40
    assert len(pair.refused) == 20


def test_a_small_parcel_overtakes_a_large_one(open_pair, large, make_parcel):
    async def send():
        async with open_pair(limits=Limits(chunk_bytes=1 << 14)) as pair:
            await pair.courier.send(make_parcel(), PLENTY_S)
            sending = [asyncio.create_task(pair.courier.send(large, PLENTY_S)) for _ in range(2)]
            await asyncio.sleep(0.002)
            await pair.courier.send(make_parcel(job=8), PLENTY_S)
            await asyncio.gather(*sending)
            return [parcel.job for parcel, _ in pair.received]

    assert run(send())[:2] == [7, 8]


def test_what_is_under_way_on_a_stream_that_breaks_is_sent_again(open_pair, large):
    streams = []

    async def send():
        async with open_pair() as pair:

            async def breaking(stream, context):
                streams.append(context.peer())
                if len(streams) > 1:
                    await pair.post._carry(stream, context)
                for _ in range(5):
                    await context.read()

            post = grpc.stream_stream_rpc_method_handler(breaking)
            handler = grpc.method_handlers_generic_handler("tessera.Post", {"Carry": post})
            server = await serve("127.0.0.1:0", None, [handler], Limits())
            pair.courier._addresses["b"] = server.addresses[0]
            await asyncio.gather(*(pair.courier.send(large, PLENTY_S) for _ in range(3)))
            await pair.courier.close()
            await server.stop()
            return pair.received

    received = run(send())
    assert len(received) == 3
    assert len(streams) == 2


def test_a_deadline_ends_both_sides(open_pair, make_parcel, until):
    async def forever(*_):
        await asyncio.Event().wait()

    async def send():
        async with open_pair(accept=forever) as pair:
            with pytest.raises(Undelivered) as caught:
                await pair.courier.send(make_parcel(), 0.3)
            await until(lambda: not pair.post.room.parcels)
            return caught.value

    assert run(send()).kind == "timeout"


def test_a_parcel_whose_time_is_up_never_leaves(open_pair, make_parcel):
    async def send():
        async with open_pair() as pair:
            with pytest.raises(Undelivered, match="its time was up before it left") as caught:
                await pair.courier.send(make_parcel(), 0.0)
            return caught.value, pair.received

    error, received = run(send())
    assert (error.kind, received) == ("timeout", [])


def test_a_sender_that_falls_silent_is_given_up(open_pair, large, until):
    async def send():
        async with open_pair(limits=Limits(stall_s=0.3)) as pair:
            line = await pair.courier._line("b")
            message = await pair.courier._written(large, compress=False)
            call = line.channel.stream_stream(METHOD)()
            messages = frames(1, PLENTY_S, message.header, message.content.data, 1 << 20)
            await call.write(next(messages))
            await until(lambda: pair.post.room.held_bytes)
            ticket, code, reason = read_receipt(await call.read())
            assert (ticket, code) == (1, grpc.StatusCode.DEADLINE_EXCEEDED)
            assert reason == "content: nothing came for too long"
            for late in messages:  # passed over: the stream goes on
                await call.write(late)
            for again in frames(2, PLENTY_S, message.header, message.content.data, 1 << 20):
                await call.write(again)
            assert read_receipt(await call.read()) == (2, grpc.StatusCode.OK, "")
            call.cancel()
            return pair

    pair = run(send())
    assert not pair.refused, "it may be the network's doing: nobody is accused"
    assert pair.post.room.held_bytes == 0


def test_a_dilated_run_has_more_patience_with_a_sender_that_falls_silent(open_pair, large):
    async def send():
        async with open_pair(limits=Limits(stall_s=0.3), dilation=100.0) as pair:
            line = await pair.courier._line("b")
            message = await pair.courier._written(large, compress=False)
            call = line.channel.stream_stream(METHOD)()
            messages = frames(1, PLENTY_S, message.header, message.content.data, 1 << 20)
            await call.write(next(messages))
            await asyncio.sleep(1.0)
            for late in messages:
                await call.write(late)
            assert read_receipt(await call.read()) == (1, grpc.StatusCode.OK, "")
            call.cancel()

    run(send())


def test_who_has_no_address_is_unreachable(open_pair, make_parcel):
    async def send():
        async with open_pair() as pair:
            with pytest.raises(
                Undelivered, match="'z': unreachable: no address is known"
            ) as caught:
                await pair.courier.send(make_parcel(target="z"), PLENTY_S)
            return caught.value

    assert run(send()).kind == "unreachable"


def test_a_refused_connection_is_tried_again_until_the_deadline(make_parcel, tmp_path):
    async def send():
        courier = Courier("a", None, {"b": f"unix:{tmp_path}/nobody"}, Limits())
        start_s = time.monotonic()
        with pytest.raises(Undelivered) as caught:
            await courier.send(make_parcel(), 0.5)
        await courier.close()
        return caught.value, time.monotonic() - start_s

    error, took_s = run(send())
    assert error.kind == "unreachable"
    assert 0.2 < took_s < 5


def test_a_parcel_waits_for_its_receiver_to_start(open_pair, make_parcel, tmp_path):
    async def send():
        address = f"unix:{tmp_path}/late"
        courier = Courier("a", None, {"b": address}, Limits())
        sending = asyncio.create_task(courier.send(make_parcel(), PLENTY_S))
        await asyncio.sleep(0.2)
        assert not sending.done()
        async with open_pair(address=address) as pair:
            await sending
            await courier.close()
            return pair.received

    assert len(run(send())) == 1


def test_a_receiver_that_was_killed_is_reached_again_when_it_is_back(open_process, make_parcel):
    async def send(address, again):
        courier = Courier("a", None, {"b": address}, Limits())
        with open_process(address) as process:
            await courier.send(make_parcel(), PLENTY_S)
            assert process.told()["job"] == 7
            process.popen.kill()
            process.popen.wait()
        with pytest.raises(Undelivered) as caught:
            await courier.send(make_parcel(), 0.3)
        assert caught.value.kind == "unreachable"
        with open_process(address) as process:
            await courier.send(make_parcel(job=8), PLENTY_S)
            again.append(process.told()["job"])
        await courier.close()

    with open_process() as process:
        free = process.address
    again = []
    run(send(free, again))
    assert again == [8]


def test_closing_the_courier_ends_what_is_under_way(open_pair, make_parcel, until):
    async def forever(*_):
        await asyncio.Event().wait()

    async def send():
        async with open_pair(accept=forever) as pair:
            sending = asyncio.create_task(pair.courier.send(make_parcel(), PLENTY_S))
            await until(lambda: pair.post.room.held_bytes)
            await pair.courier.close()
            with pytest.raises(Undelivered) as caught:
                await sending
            return caught.value

    assert run(send()).kind == "unreachable"


def test_a_server_tells_its_health_and_all_of_its_addresses(tmp_path):
    async def ask():
        wanted = ["127.0.0.1:0", f"unix:{tmp_path}/health"]
        server = await serve(wanted, None, [], Limits())
        answers = []
        for address in server.addresses:
            async with grpc.aio.insecure_channel(address) as channel:
                check = health_pb2_grpc.HealthStub(channel).Check
                answers.append((await check(health_pb2.HealthCheckRequest())).status)
        await server.stop()
        return server.addresses, answers

    addresses, answers = run(ask())
    assert addresses[0] != "127.0.0.1:0"
    assert answers == [health_pb2.HealthCheckResponse.SERVING] * 2


def test_an_address_in_use_is_refused_with_its_name():
    async def take_twice():
        server = await serve("127.0.0.1:0", None, [], Limits())
        try:
            with pytest.raises(RealRunError, match=f"address '{server.addresses[0]}': .*free port"):
                await serve(server.addresses[0], None, [], Limits())
        finally:
            await server.stop()

    run(take_twice())
