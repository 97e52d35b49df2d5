"""What is believed of the world, from what has been measured while it runs.

Rates are measured as BBR measures them (Cardwell et al. 2016, doi 10.1145/3012426.3022184): the
bytes that transfers delivered while one of them was under way, over its duration; of the last of
such samples the largest counts, since what a link once carried it can carry. Of the times that
small transfers took the smallest counts, as the delay between the two nodes. Until something was
measured the topology's own figures are believed. Beliefs are replaced only when they have turned
out wrong by a quarter or more: policies keep their assignments for as long as beliefs last.
"""

from collections import deque
from collections.abc import Mapping

from sim.cost import CostModel
from sim.plan import Transfer
from sim.policy import Estimates
from topologies.topology import Topology

SAMPLES = 64
LEAST_BYTES = 32_768
"""Smaller transfers tell about delays, not about rates."""
WRONG_BY = 0.25
NEGLIGIBLE_S = 1e-3
"""Delays that differ by less are taken for equal."""
PATIENCE_S = 1.0
"""Beliefs about rates and delays are not replaced more often than that."""

Pair = tuple[str, str]


class ChannelMeter:
    """The rate of one direction of a link, from the transfers that took it."""

    def __init__(self) -> None:
        self._ends: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._rates: deque[float] = deque(maxlen=SAMPLES)

    def add(self, start_s: float, end_s: float, size_bytes: float, delay_s: float) -> None:
        """Note a transfer that was under way from ``start_s`` to ``end_s``, delay included."""
        self._ends.append((end_s, size_bytes))
        if size_bytes >= LEAST_BYTES and end_s - start_s > delay_s:
            delivered = sum(size for when_s, size in self._ends if start_s < when_s <= end_s)
            self._rates.append(delivered * 8 / (end_s - start_s - delay_s))

    @property
    def bits_per_s(self) -> float | None:
        """The largest of the last samples; None where there is none."""
        return max(self._rates, default=None)


class Beliefs:
    """The `Estimates` of a run: replaced when the world turned out to be another."""

    def __init__(self, topology: Topology, cost: CostModel) -> None:
        self._topology = topology
        self._cost = cost
        self._meters = [ChannelMeter() for _ in topology.channels]
        self._nominal = tuple(channel.rate_bits_per_s for channel in topology.channels)
        self._small_s: dict[Pair, deque[float]] = {}
        self._replaced_s = -PATIENCE_S
        self._out: frozenset[int] = frozenset()
        self.estimates = Estimates(topology, cost, self._nominal)

    def carried(self, step: Transfer, start_s: float, end_s: float, size_bytes: float) -> None:
        """Learn from a transfer that has arrived."""
        pair = (step.source, step.target)
        route = self._topology.route(*pair)
        if size_bytes < LEAST_BYTES:
            self._small_s.setdefault(pair, deque(maxlen=SAMPLES)).append(end_s - start_s)
        delay_s = min(self._small_s.get(pair, ()), default=route.delay_s)
        for channel in route.channels:
            self._meters[channel].add(start_s, end_s, size_bytes, delay_s)
        if end_s - self._replaced_s >= PATIENCE_S:
            self.reconsider(end_s)

    def reconsider(self, now_s: float) -> None:
        """Replace the beliefs about rates and delays, where they have turned out wrong."""
        rates, delays_s = self._rates(), self._delays_s()
        if self._are_wrong(rates, delays_s):
            self._replaced_s = now_s
            self._replace(rates, self.estimates.down, delays_s)

    def set_down(self, down: frozenset[str]) -> None:
        """Believe that these nodes are gone, and no others."""
        if down != self.estimates.down:
            self._replace(self.estimates.channel_bits_per_s, down, self.estimates.delays_s)

    def set_out(self, channels: frozenset[int]) -> None:
        """Believe that nothing passes on these channels, and something on all others."""
        if channels != self._out:
            self._out = channels
            self._replace(self._rates(), self.estimates.down, self.estimates.delays_s)

    def _rates(self) -> tuple[float, ...]:
        measured = [meter.bits_per_s for meter in self._meters]
        return tuple(
            0.0 if index in self._out else nominal if rate is None else rate
            for index, (rate, nominal) in enumerate(zip(measured, self._nominal, strict=True))
        )

    def _delays_s(self) -> dict[Pair, float]:
        return {pair: min(took_s) for pair, took_s in self._small_s.items()}

    def _are_wrong(self, rates: tuple[float, ...], delays_s: Mapping[Pair, float]) -> bool:
        believed = self.estimates
        pairs = zip(rates, believed.channel_bits_per_s, strict=True)
        if any(abs(new - old) > WRONG_BY * old for new, old in pairs):
            return True
        return any(
            abs(delay_s - (old_s := believed.way(*pair).delay_s))
            > max(NEGLIGIBLE_S, WRONG_BY * old_s)
            for pair, delay_s in delays_s.items()
        )

    def _replace(
        self, rates: tuple[float, ...], down: frozenset[str], delays_s: Mapping[Pair, float]
    ) -> None:
        self.estimates = Estimates(self._topology, self._cost, rates, down, delays_s)
