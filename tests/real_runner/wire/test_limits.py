from dataclasses import replace

import pytest

from real_runner.wire.limits import Limits
from real_runner.wire.room import NoRoomError, Room
from workloads.codec import codec_named


def test_all_tokens_of_vit_h_fit_a_parcel():
    assert codec_named("fp64").encoded_bytes(4096 * 1280, 4096) < Limits().parcel_bytes


@pytest.mark.parametrize("change", [{"parcel_bytes": 0}, {"stall_s": -1.0}])
def test_a_limit_must_be_above_zero(change):
    with pytest.raises(ValueError, match=f"limits: {next(iter(change))} is "):
        Limits(**change)


def test_whatever_waits_for_the_network_waits_longer_where_that_is_slowed():
    limits = Limits()
    slow = limits.dilated(10.0)
    names = {name for name in Limits.__dataclass_fields__ if name.endswith("_s")}
    assert names == {"stall_s", "delivery_s", "keepalive_s", "connect_s", "handshake_s"}
    assert all(getattr(slow, name) == 10 * getattr(limits, name) for name in names)
    assert replace(slow, **{name: getattr(limits, name) for name in names}) == limits


def test_a_chunk_must_fit_a_message():
    with pytest.raises(ValueError, match="must not exceed message_bytes"):
        Limits(chunk_bytes=8 << 20)


def test_room_is_given_back_whatever_happens():
    room = Room(Limits(flight_bytes=100, flight_parcels=1))
    with pytest.raises(RuntimeError), room.parcel(), room.hold(100):
        raise RuntimeError
    assert (room.parcels, room.held_bytes) == (0, 0)
    with room.parcel(), room.hold(60):
        with pytest.raises(NoRoomError, match="60 bytes are under way to this node, 41 more"):
            room.hold(41).__enter__()
        with pytest.raises(NoRoomError, match="at most 1 may be"):
            room.parcel().__enter__()
        with room.hold(40):
            assert room.held_bytes == 100
