"""How much TCP dares to have on the way: windows, in segments, as functions of what happened.

Formulas and parameters only; `sim.engine.connections` applies them to transfers. None of them was
fitted to the measurements they are tested against.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tcp:
    """What a TCP stack does, by the standards and by Linux's defaults.

    ``segment_bytes`` of payload travel in frames of ``frame_bytes`` (Ethernet, IPv4, TCP with time
    stamps). ``initial_window``: RFC 6928. ``handshake_round_trips``: RFC 9293;
    ``tls_round_trips``: a full handshake of TLS 1.3, RFC 8446, section 2; 0 for plain sockets.
    ``least_timeout_s`` is what the retransmission time-out is above the round trip at least
    (Linux's ``tcp_rto_min``). ``cubic_c`` (segments/s³) and ``cubic_beta``: RFC 9438, section 4.
    ``bbr_loss``: the loss that BBR stands without slowing down, 1 − 1/1.25 from its probing gain
    (Cardwell et al., *BBR: Congestion-Based Congestion Control*, ACM Queue 2016).
    """

    segment_bytes: int = 1448
    frame_bytes: int = 1514
    initial_window: int = 10
    handshake_round_trips: int = 1
    tls_round_trips: int = 1
    least_timeout_s: float = 0.2
    cubic_c: float = 0.4
    cubic_beta: float = 0.7
    bbr_loss: float = 0.2

    @property
    def efficiency(self) -> float:
        """The part of a link's rate that is payload."""
        return self.segment_bytes / self.frame_bytes

    def timeout_s(self, round_trip_s: float) -> float:
        """Return the retransmission time-out on an uncongested path."""
        return round_trip_s + self.least_timeout_s


def reno_window(loss: float, round_trip_s: float, timeout_s: float) -> float:
    """Return Reno's mean window in segments where each is lost with probability ``loss``.

    Padhye et al., *Modeling TCP Throughput*, SIGCOMM 1998, in the form of RFC 5348, section 3.1,
    with b = 1, since windows grow by bytes acknowledged (RFC 3465). At 1 % it is 12.2 segments
    without time-outs (the square-root law), and less with them:

    >>> round(reno_window(0.01, 0.04, 0.24), 1)
    10.8
    """
    per_loss: float = (2.0 * loss / 3.0) ** 0.5
    at_risk: float = min(1.0, 3.0 * (3.0 * loss / 8.0) ** 0.5)
    stalled = timeout_s / round_trip_s * at_risk * loss * (1.0 + 32.0 * loss * loss)
    return 1.0 / (per_loss + stalled)


def cubic_window(loss: float, round_trip_s: float, tcp: Tcp) -> float:
    """Return CUBIC's mean window in segments where each is lost with probability ``loss``.

    RFC 9438, section 5.1: the concave and convex part, or Reno's where that is larger, which CUBIC
    follows then (its section 4.3).
    """
    beta = tcp.cubic_beta
    factor: float = (tcp.cubic_c * (3.0 + beta) / (4.0 * (1.0 - beta))) ** 0.25
    window: float = factor * (round_trip_s / loss) ** 0.75
    return max(window, reno_window(loss, round_trip_s, tcp.timeout_s(round_trip_s)))


def growing_window(base: float, peak: float, age_s: float, round_trip_s: float, tcp: Tcp) -> float:
    """Return CUBIC's window in segments, ``age_s`` after it was ``base``.

    RFC 9438, sections 4.2 and 4.3. It approaches ``peak``, the window of the last loss, slowly
    passes it, and never grows slower than Reno on short round trips would:

    >>> [round(growing_window(70.0, 100.0, age_s, 0.1, Tcp())) for age_s in (0.0, 2.0, 4.0, 6.0)]
    [70, 96, 100, 102]
    """
    beta = tcp.cubic_beta
    to_peak_s: float = (max(peak - base, 0.0) / tcp.cubic_c) ** (1.0 / 3.0)
    cubic = peak + tcp.cubic_c * (age_s - to_peak_s) ** 3
    friendly = base + 3.0 * (1.0 - beta) / (1.0 + beta) * age_s / round_trip_s
    return max(cubic, friendly)
