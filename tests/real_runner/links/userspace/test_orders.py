"""The forwarder is told channels, whose devices are whose, routes, and who shares a serialiser."""

from real_runner.links.network import Network
from real_runner.links.userspace.orders import routed_text, wired_text
from tests.real_runner.links.conftest import world
from topologies.topology import Link

NETWORK = Network(
    world(
        Link("a", "b", 1e6, 0.5, duplex="half", loss=0.25, jitter_s=0.125),
        Link("b", "c", 2e6, 0.001),
    )
)


def test_packets_are_routed_between_one_device_per_node() -> None:
    first, *lines = routed_text(NETWORK).splitlines()
    assert first == "network packets 3 4 4 14 3323068417"
    assert lines[:3] == [
        f"channel 0 1 1000000.0 500000000 125000000 125000 {2**62} 0 0",
        f"channel 0 0 1000000.0 500000000 125000000 125000 {2**62} 0 0",
        "channel 2 2 2000000.0 1000000 0 67108864 0 0 0",
    ]
    assert lines[4:7] == ["device 0", "device 1", "device 2"]
    assert "route 0 2 2 0 2" in lines
    assert "route 2 0 2 3 1" in lines


def test_frames_go_from_one_end_of_a_link_to_the_other() -> None:
    first, *lines = wired_text(NETWORK).splitlines()
    assert first == "network frames 4 4 4 0 3323068417"
    assert [line.split()[:3] for line in lines[:4]] == [
        ["channel", "0", "1"],
        ["channel", "0", "0"],
        ["channel", "2", "3"],
        ["channel", "3", "2"],
    ]
    assert lines[4:8] == ["device 0", "device 1", "device 1", "device 2"]
    assert lines[8:] == ["route 0 1 1 0", "route 1 0 1 1", "route 2 3 1 2", "route 3 2 1 3"]
