"""Links as they were seen to be: delays, rates and costs of messages fitted to measured transfers.

A transfer takes the delays of its links, and its load on its narrowest channel. Its load is what
the channel moves, its own bytes and message and those of others, while it is on it: as in the
simulator it gets there after the delays before it, and all there at once are served alike. So
transfers that ran side by side tell what bytes and messages cost as well as those that ran alone.
The sum of absolute errors is least, each relative to what such a transfer typically took: the fit
is one of medians, and what a busy host delayed now and then does not move it.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.fidelity.loads import fair_loads
from sim.calibration import nonnegative
from sim.errors import ScenarioError
from sim.trace import FINISHED
from topologies.topology import Link, Topology

Floats = npt.NDArray[np.float64]

_ROUNDS: Final = 100
_LEAST_DURATION_S: Final = 1e-9
_LEAST_S_PER_BYTE: Final = 8e-11
"""No link is believed to be faster than 100 Gbit/s: where bytes cost nothing, messages may."""
_LEAST_EXTRA_BYTES: Final = 0.5
_ALIKE: Final = ["run", "attempt", "step", "source", "target", "bytes"]
"""What transfers have in common that are one step of requests planned alike."""


@dataclass(frozen=True, slots=True)
class RouteFit:
    """How well the fitted links explain the transfers of one route.

    ``median_error`` is the median magnitude of the relative error, ``bits_per_s`` the rate of the
    route's narrowest channel, ``message_bytes`` what each message costs it beyond its own bytes,
    ``coding_bytes`` what one costs more that a codec writes.
    """

    source: str
    target: str
    delay_s: float
    bits_per_s: float
    message_bytes: float
    coding_bytes: float
    transfers: int
    median_error: float


@dataclass(frozen=True, slots=True)
class FittedLinks:
    """A topology whose links are as measured, and how well they explain each route."""

    topology: Topology
    routes: tuple[RouteFit, ...]


def fit_links(topology: Topology, steps: pd.DataFrame) -> FittedLinks:
    """Return ``topology`` with delays, rates and messages fitted to the transfers in ``steps``.

    ``steps`` is a table of `sim.tables`, with a column ``run`` that tells apart runs that did not
    happen side by side, and one, ``coded``, that tells what codecs write. Which channel of a route
    is the narrowest is taken from ``topology``, all else is fitted. A link that no transfer took
    keeps what it has; a channel that never was the narrowest is as wide as ``topology`` has it, and
    as the widest that was. Raises `ScenarioError` where nothing was transferred, and for a link
    that changes with time.
    """
    _check_steady(topology)
    sent = steps[(steps["kind"] == "transfer") & (steps["outcome"] == FINISHED)]
    if sent.empty:
        raise ScenarioError("compare: nothing was transferred; train with a policy that sends")
    transfers = _Transfers(topology, sent)
    nominal = np.array([channel.rate_bits_per_s / 8 for channel in topology.channels])
    delays = np.zeros(len(topology.links))
    extra = np.full((len(nominal), 2), _LEAST_EXTRA_BYTES)
    narrowest = transfers.narrowest(transfers.loads(_Found(nominal, extra, delays)), nominal)
    found = _Found(transfers.rates_reached(), extra, delays)
    for _ in range(_ROUNDS):
        found = transfers.fit(transfers.loads(found), narrowest)
    fitted = _realised(topology, transfers, found)
    return FittedLinks(fitted, transfers.report(found, narrowest))


class _Found(NamedTuple):
    """A fit: per channel bytes per second, and bytes per message and per coding; delays of links.

    ``extra_bytes`` has shape (channels, 2): message, coding.
    """

    bytes_per_s: Floats
    extra_bytes: Floats
    delays_s: Floats


class _Transfers:
    """Measured transfers: how long each took, over which links, and the load of each channel."""

    def __init__(self, topology: Topology, sent: pd.DataFrame) -> None:
        self._topology = topology
        self._nominal = np.array([channel.rate_bits_per_s / 8 for channel in topology.channels])
        self.source = sent["source"].astype(str).to_numpy()
        self.target = sent["target"].astype(str).to_numpy()
        self.begun_s: Floats = sent["queued_s"].to_numpy(dtype=np.float64)
        taken_s = sent["end_s"].to_numpy(dtype=np.float64) - self.begun_s
        self.taken_s: Floats = np.maximum(taken_s, _LEAST_DURATION_S)
        alike = pd.Series(self.taken_s).groupby([sent[name].to_numpy() for name in _ALIKE])
        self.typical_s: Floats = alike.transform("median").to_numpy()
        self.size_bytes: Floats = sent["bytes"].to_numpy(dtype=np.float64)
        coded = sent["coded"].to_numpy(dtype=np.float64)
        self._messages: Floats = np.column_stack([np.ones(len(sent)), coded])
        self.uses = np.array(
            [self._channels(*ends) for ends in zip(self.source, self.target, strict=True)]
        )
        self.links_used = self.uses[:, 0::2] | self.uses[:, 1::2]
        self._before = np.array(
            [self._links_before(*ends) for ends in zip(self.source, self.target, strict=True)]
        )
        self._runs = list(sent.groupby(["run", "replication"]).indices.values())

    def _channels(self, source: str, target: str) -> npt.NDArray[np.bool_]:
        used = np.zeros(len(self._topology.channels), dtype=np.bool_)
        used[list(self._topology.route(source, target).channels)] = True
        return used

    def _links_before(self, source: str, target: str) -> npt.NDArray[np.bool_]:
        """Return per channel which links a transfer has crossed before it gets there."""
        before = np.zeros((len(self._topology.channels), len(self._topology.links)), dtype=np.bool_)
        channels = self._topology.route(source, target).channels
        for place, channel in enumerate(channels):
            before[channel, [early // 2 for early in channels[:place]]] = True
        return before

    def rates_reached(self) -> Floats:
        """Return bytes per second of each channel that some of its transfers reached at least."""
        reached = np.where(self.uses, (self.size_bytes / self.taken_s)[:, None], np.nan)
        found = np.ones(self.uses.shape[1])
        used = self.uses.any(axis=0)
        found[used] = np.nanquantile(reached[:, used], 0.9, axis=0)
        return np.maximum(found, 1.0)

    def loads(self, found: _Found) -> Floats:
        """Return per transfer and channel the bytes, messages and codings moved meanwhile.

        Of channels that it does not take that is 0.
        """
        there_s = self.begun_s[:, None] + self._before @ found.delays_s
        loads = np.zeros((*self.uses.shape, 3))
        for rows in self._runs:
            for channel in np.flatnonzero(self.uses[rows].any(axis=0)):
                own = rows[self.uses[rows, channel]]
                extra_bytes = self._messages[own] * found.extra_bytes[channel]
                parts_bytes = np.column_stack([self.size_bytes[own], extra_bytes])
                rate = float(found.bytes_per_s[channel])
                loads[own, channel] = fair_loads(there_s[own, channel], parts_bytes, rate)
        loads[:, :, 1:] /= found.extra_bytes
        return loads

    def narrowest(self, loads: Floats, bytes_per_s: Floats) -> npt.NDArray[np.int64]:
        """Return per transfer the channel that its load occupies longest, or the most used."""
        occupied_s = np.where(self.uses, loads[:, :, 0] / bytes_per_s, -1.0)
        popular = self.uses.sum(axis=0) * 1e-9 / len(self.uses)
        return np.asarray(np.argmax(occupied_s * (1 + popular), axis=1))

    def fit(self, loads: Floats, narrowest: npt.NDArray[np.int64]) -> _Found:
        """Return what explains the transfers best, given their loads."""
        channels, rows = np.unique(narrowest), np.arange(len(narrowest))
        counted = np.zeros(loads.shape)
        counted[rows, narrowest] = loads[rows, narrowest]
        parts = (self.links_used.astype(np.float64), *np.moveaxis(counted[:, channels], 2, 0))
        matrix = np.hstack(parts) / self.typical_s[:, None]
        found = least_absolute(matrix, self.taken_s / self.typical_s)
        links = self.links_used.shape[1]
        s_per_byte, *s_per_extra = found[links:].reshape(3, len(channels))
        rates = np.full(self.uses.shape[1], np.inf)
        extra = np.full((self.uses.shape[1], 2), _LEAST_EXTRA_BYTES)
        rates[channels] = 1.0 / np.maximum(s_per_byte, _LEAST_S_PER_BYTE)
        as_bytes = np.column_stack(s_per_extra) * rates[channels, None]
        extra[channels] = np.maximum(as_bytes, _LEAST_EXTRA_BYTES)
        widest = np.maximum(self._nominal, rates[channels].max())
        return _Found(np.where(np.isinf(rates), widest, rates), extra, found[:links])

    def report(self, found: _Found, narrowest: npt.NDArray[np.int64]) -> tuple[RouteFit, ...]:
        """Return per route what it is by the fit, and how far off the fit is."""
        delay_s, rates = self.links_used @ found.delays_s, found.bytes_per_s
        rows = np.arange(len(self.taken_s))
        loads = self.loads(found)[rows, narrowest]
        load_bytes = loads[:, 0] + (loads[:, 1:] * found.extra_bytes[narrowest]).sum(axis=1)
        error = np.abs((delay_s + load_bytes / rates[narrowest]) / self.taken_s - 1)
        report = []
        for source, target in sorted(set(zip(self.source, self.target, strict=True))):
            own = np.flatnonzero((self.source == source) & (self.target == target))
            slowest = float(np.where(self.uses[own[0]], rates, np.inf).min())
            message, coding = found.extra_bytes[self.uses[own[0]]].max(axis=0).round().tolist()
            report.append(
                RouteFit(source, target, float(delay_s[own[0]]), 8 * slowest, message, coding,
                         len(own), float(np.median(error[own])))
            )  # fmt: skip
        return tuple(report)


def least_absolute(matrix: Floats, wanted: Floats) -> Floats:
    """Return x, not negative, of the least sum of ``abs(matrix @ x - wanted)``.

    By iteratively reweighted least squares (Schlossmacher 1973, "An iterative technique for
    absolute deviations curve fitting", Journal of the American Statistical Association 68).
    """
    weights = np.ones(len(matrix))
    found = np.zeros(matrix.shape[1])
    for _ in range(_REWEIGHTINGS):
        root = np.sqrt(weights)
        found = nonnegative(matrix * root[:, None], wanted * root)
        weights = 1.0 / np.maximum(np.abs(matrix @ found - wanted), _SMOOTH)
    return found


_REWEIGHTINGS: Final = 30
_SMOOTH: Final = 1e-4


def _realised(topology: Topology, transfers: _Transfers, found: _Found) -> Topology:
    """Return the topology as fitted; `ScenarioError` where other routes would be the shortest."""
    taken = transfers.links_used.any(axis=0)
    links = tuple(
        _as_measured(link, n, found) if taken[n] else link for n, link in enumerate(topology.links)
    )
    fitted = replace(topology, links=links)
    for ends in sorted(set(zip(transfers.source, transfers.target, strict=True))):
        if fitted.route(*ends).channels != topology.route(*ends).channels:
            raise ScenarioError(
                f"compare: by the measured delays {ends[0]} would reach {ends[1]} another way than "
                f"by the topology's; use a topology with one way between them"
            )
    return fitted


def _as_measured(link: Link, number: int, found: _Found) -> Link:
    """Return a link whose transfers take what they were measured to; nothing else slows them."""
    there, back = (8 * found.bytes_per_s[2 * number : 2 * number + 2]).tolist()
    (message, coding), (back_message, back_coding) = (
        map(int, extra) for extra in found.extra_bytes[2 * number : 2 * number + 2].round().tolist()
    )
    return Link(
        link.source, link.target, there, float(found.delays_s[number]), back,
        energy_j_per_bit=link.energy_j_per_bit, back_energy_j_per_bit=link.back_energy_j_per_bit,
        message_bytes=message, back_message_bytes=back_message,
        coding_bytes=coding, back_coding_bytes=back_coding,
    )  # fmt: skip


def _check_steady(topology: Topology) -> None:
    for link in topology.links:
        if link.schedule is not None or link.back_schedule is not None:
            raise ScenarioError(
                f"compare: link {link.name} changes with time, which no single delay and rate can "
                "stand for; leave its schedule out"
            )
