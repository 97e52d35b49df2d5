"""Jitter: packets whose delays differ, none of which overtakes another.

Each packet's delay on a link is drawn evenly from ``delay ± jitter``. As links keep packets in
order, one that is quick waits for a slow one before it. So of packets that leave ``tx`` seconds
apart, the last one ``k = 0``, the last arrives ``max over k of (d_k - k tx)`` later than it leaves:
large messages come late rather than early, since one of the many packets just before their end is
slow. Over several links in a row each takes the packets as the one before it let them go.

No packet is simulated. A transfer crosses the network as fast as its links let it, with the least
delays that there are; when its last byte has passed, what jitter adds is drawn, and that much later
it arrives. Its packets are taken to have left evenly: fluid ones over the time they took, those of
a connection at the rate of its bottleneck. One transfer between two nodes does not arrive before
another that passed earlier. That packets of other transfers are in between is left out.
"""

import numpy as np

from sim.engine.agenda import Agenda
from sim.engine.congestion import Tcp
from sim.engine.paths import Path


class Jitter:
    """Draws how late transfers arrive."""

    def __init__(self, clock: Agenda, tcp: Tcp, rng: np.random.Generator) -> None:
        self._clock = clock
        self._tcp = tcp
        self._rng = rng

    def due_s(self, path: Path, size_bytes: float, first_s: float) -> float:
        """Return when a transfer arrives whose last byte has passed ``path`` just now.

        ``size_bytes`` is all that it carried, its first byte at ``first_s`` at best.
        """
        now_s = self._clock.now
        if path.tcp:
            packet_bytes, bytes_per_s = self._tcp.segment_bytes, path.rate
            apart_s = packet_bytes / bytes_per_s if bytes_per_s > 0.0 else float("inf")
        else:
            packet_bytes = self._tcp.frame_bytes
            apart_s = (now_s - first_s) * packet_bytes / size_bytes if size_bytes > 0.0 else 0.0
        packets = max(1, int(np.ceil(size_bytes / packet_bytes)))
        late_s = lateness_s(path.jitters_s, packets, apart_s, self._rng)
        path.latest_s = max(now_s + late_s, path.latest_s)
        return path.latest_s


def lateness_s(
    jitters_s: tuple[float, ...], packets: int, apart_s: float, rng: np.random.Generator
) -> float:
    """Draw how much later than with the least delays the last of some packets arrives.

    The packets leave ``apart_s`` apart and cross links in a row, one for each of ``jitters_s``.
    Only those that leave within the span of all delays before the last can hold it up.
    """
    span_s = 2.0 * sum(jitters_s)
    if apart_s * packets > span_s:
        packets = min(packets, int(span_s / apart_s) + 1)
    arrivals_s = np.arange(packets) * -apart_s
    for jitter_s in jitters_s:
        arrivals_s = arrivals_s + 2.0 * jitter_s * rng.random(packets)
        arrivals_s = np.maximum.accumulate(arrivals_s[::-1])[::-1]
    return float(arrivals_s[0])
