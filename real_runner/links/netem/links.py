"""Links of the kernel: veth devices, two queueing disciplines of the kind netem per direction.

A channel is a queue and a serialiser at its near end (netem's rate, which puts packet after packet
on the wire and catches up where it was late), and delay, jitter and loss at its far end, where
nothing is dropped for want of room. Between the two, packets cross a hidden namespace, the wires.
Nodes on the way are routers. Queues serve packets in order of arrival, whoever sends them, and hold
as many full packets as make up the link's bytes, rounded up, which is what netem counts.

netem knows no schedules, directions that share a rate, or seeds: what of these a link asks for is
refused, but that chance decides which packets are lost is only told, in the certificate.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from real_runner.links.emulation import Emulation
from real_runner.links.netem.orders import write_wires
from real_runner.links.network import Network
from real_runner.links.places import write_places
from sim.errors import ScenarioError
from topologies.links import Link

MOST_BITS_PER_S: Final = 8 * (2**32 - 1)
MOST_JITTER_S: Final = 2.0


def netem(run: str, folder: Path, network: Network) -> Emulation:
    """Return such links, to be started; `ScenarioError` where netem cannot honour one."""
    for link in network.topology.links:
        refuse_what_netem_cannot(link, "netem")
    return Emulation("netem", run, folder, network, prepare)


def prepare(network: Network, folder: Path) -> Sequence[str]:
    """Write the link process's orders; return its module."""
    write_places(network, folder)
    write_wires(network, folder)
    return ("real_runner.links.netem.process",)


def refuse_what_netem_cannot(link: Link, backend: str) -> None:
    """Raise `ScenarioError` for a link that netem cannot honour, naming link and field."""
    rates = (link.rate_bits_per_s, link.back_rate_bits_per_s or link.rate_bits_per_s)
    cannot = {
        "schedule": link.schedule is not None and "do not change with time",
        "back_schedule": link.back_schedule is not None and "do not change with time",
        "duplex": link.duplex == "half" and "have a rate for each direction",
        "rate_bits_per_s": max(rates) > MOST_BITS_PER_S and "carry at most 34.3 Gbit/s",
        "jitter_s": link.jitter_s > MOST_JITTER_S and f"jitter by at most {MOST_JITTER_S:g} s",
    }
    for field, reason in cannot.items():
        if reason:
            raise ScenarioError(
                f"link {link.name}: {field}: {backend} links {reason}; run with --links userspace"
            )
