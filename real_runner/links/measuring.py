"""Links measured while nothing else moves, each kind once.

What is measured is the round trip, 8 KiB, a transfer of seconds, and loss. In slow motion links are
measured side by side, as far as all of them together are little for this machine.
"""

import math
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import fmean, median
from typing import Final

from real_runner.links.backend import Backend
from real_runner.links.certificate import Certificate, Check, What
from real_runner.links.network import FRAMING_BYTES, queue_bytes
from real_runner.links.probing import (
    DATAGRAM_BYTES,
    ECHO_BYTES,
    PATIENCE_S,
    arrivals,
    datagrams,
    dropped_by_device,
    goodput_bits_per_s,
    in_namespace,
    messages_s,
    round_trips_s,
    stream,
)
from topologies.links import Channel, Link
from topologies.topology import Topology

SLACK_S: Final = 0.5e-3
"""What a process may take to be woken, in seconds of the topology's."""
ROUND_TRIP_TOLERANCE: Final = 0.02
MESSAGE_TOLERANCE: Final = 0.05
GOODPUT_TOLERANCE: Final = 0.03
LOSS_CONFIDENCE: Final = 0.99
JUDGED_BITS_PER_S: Final = 1e9
"""A faster link is only required to carry so much of the topology's time: beyond it is this machine
that is measured. That a run has asked for more than the machine could carry shows in its lateness
and device drops."""
AT_ONCE_BITS_PER_S: Final = 50e6
"""Dilated links that carry no more than this together are measured at the same time."""

MESSAGE_BYTES: Final = 8192
SEGMENT_BYTES: Final = 1448
FRAME_BYTES: Final = 1514
"""Of TCP with time stamps, and what a segment takes on the wire."""
_ACK_BYTES: Final = 66
"""What an acknowledgement takes, one per two segments (RFC 5681, section 4.2)."""
_ECHOES, _MESSAGES = 11, 5
_FEWEST, _LONG_S = 3, 1.0
"""Fewer of them do where they take longer than this together: then no waking up is noticed."""
_ATTEMPTS: Final = 4
_CHANCE: Final = 2.6
"""Standard deviations within which a mean is, but for once in a hundred times."""
_TRANSFER_S, _TRANSFER_ROUND_TRIPS = 1.0, 20
_LEAST_TRANSFER_BYTES: Final = 64 * SEGMENT_BYTES
_TRAIN_S, _TRAIN_LOAD, _MOST_DATAGRAMS = 2.0, 0.8, 4000
_REST_S = 0.5


def measure(emulation: Backend, dilation: float = 1.0) -> Certificate:
    """Measure the links of an emulation in which nothing else moves; takes seconds per link.

    They are ``dilation`` times as slow as those that they stand for.
    """
    topology = emulation.network.topology
    kinds = _distinct(topology)
    checks: list[Check] = []
    at_once_bits_per_s = AT_ONCE_BITS_PER_S if dilation > 1 else 0.0
    for links in _batches(topology, [first for first, *_ in kinds], at_once_bits_per_s):
        with ThreadPoolExecutor(len(links)) as pool:
            for found in pool.map(partial(_checks, emulation, dilation), links):
                checks += found
    nodes = emulation.network.nodes
    used = [emulation.network.congestion(a, b) for a in nodes for b in nodes if a != b]
    return Certificate(
        backend=emulation.name,
        kernel=platform.release(),
        realtime=emulation.realtime,
        congestion={word: used.count(word) for word in sorted(set(used))},
        offloads=emulation.offloads,
        losses=emulation.losses,
        checks=tuple(checks),
        alike={first.name: tuple(other.name for other in others) for first, *others in kinds},
        dilation=dilation,
    )


def device_drops(emulation: Backend) -> int:
    """Return how many packets were lost before they had reached a link, in all namespaces."""
    names = emulation.network.nodes
    return sum(in_namespace(emulation.namespace(name), dropped_by_device) for name in names)


def _distinct(topology: Topology) -> list[list[Link]]:
    """Return the links that routes use, those alike together."""
    groups: dict[tuple[object, ...], list[Link]] = {}
    for number, link in enumerate(topology.links):
        ways = (topology.route(link.source, link.target), topology.route(link.target, link.source))
        if [way.channels for way in ways] != [(2 * number,), (2 * number + 1,)]:
            continue  # there is a shorter way, which all packets take
        forth, back = topology.channels[2 * number : 2 * number + 2]
        key = (
            forth.rate_bits_per_s, back.rate_bits_per_s, link.delay_s, link.jitter_s, link.loss,
            link.duplex, queue_bytes(link, forth), queue_bytes(link, back),
        )  # fmt: skip
        groups.setdefault(key, []).append(link)
    return list(groups.values())


def _batches(
    topology: Topology, links: Sequence[Link], at_once_bits_per_s: float
) -> Iterator[list[Link]]:
    """Yield links that are measured side by side."""
    batch: list[Link] = []
    left = at_once_bits_per_s
    for link in links:
        rate = max(channel.rate_bits_per_s for channel in _channels(topology, link))
        if batch and rate > left:
            yield batch
            batch, left = [], at_once_bits_per_s
        batch.append(link)
        left -= rate
    if batch:
        yield batch


def _channels(topology: Topology, link: Link) -> tuple[Channel, Channel]:
    index = 2 * topology.links.index(link)
    forth, back = topology.channels[index : index + 2]
    return forth, back


def _checks(emulation: Backend, dilation: float, link: Link) -> list[Check]:
    forth, back = _channels(emulation.network.topology, link)
    slack_s = SLACK_S * dilation
    directions = [forth]
    if forth.rate_bits_per_s != back.rate_bits_per_s:
        directions.append(back)
    found = [_settled(partial(_round_trip, emulation, link, forth, back, slack_s))]
    for channel in directions:
        if link.loss == 0:
            found.append(_settled(partial(_message, emulation, link, channel, slack_s)))
            found.append(_settled(partial(_goodput, emulation, link, channel, dilation)))
        else:
            found.append(_settled(partial(_loss, emulation, link, channel)))
    return found


def _settled(measure_once: Callable[[], Check]) -> Check:
    """Measure again what is outside its tolerance, some times.

    Once in a hundred times chance alone does it, and beside busy processors, on which those wait
    who measure, more often.
    """
    check = measure_once()
    for _ in range(_ATTEMPTS - 1):
        if check.holds:
            break
        check = measure_once()
    return check


def _round_trip(
    emulation: Backend, link: Link, forth: Channel, back: Channel, slack_s: float
) -> Check:
    frame_bytes = ECHO_BYTES + 28 + FRAMING_BYTES
    expected_s = sum(c.delay_s + 8 * frame_bytes / c.rate_bits_per_s for c in (forth, back))
    with datagrams(*_ends(emulation, forth)) as (ours, theirs):
        count = _enough(_ECHOES, expected_s, link)
        found = round_trips_s(ours, theirs, count, patience_s=2 * expected_s + _REST_S)
    measured_s = _middle(found, link)
    # The sum of two even draws has a variance of two thirds of their reach squared.
    chance_s = _CHANCE * link.jitter_s * math.sqrt(2 / 3 / count)
    slack_s = max(ROUND_TRIP_TOLERANCE * expected_s, slack_s) + chance_s
    return _near(forth, "round trip", expected_s, measured_s, slack_s)


def _message(emulation: Backend, link: Link, channel: Channel, slack_s: float) -> Check:
    """Send it as datagrams at once: TCP, depending on its congestion control, would pace it."""
    overhead = math.ceil(MESSAGE_BYTES / DATAGRAM_BYTES) * (FRAME_BYTES - DATAGRAM_BYTES)
    expected_s = channel.delay_s + 8 * (MESSAGE_BYTES + overhead) / channel.rate_bits_per_s
    with datagrams(*_ends(emulation, channel)) as (ours, theirs):
        count = _enough(_MESSAGES, expected_s, link)
        found = messages_s(ours, theirs, count, MESSAGE_BYTES, 2 * expected_s + _REST_S)
    measured_s = _middle(found, link)
    slack_s = max(MESSAGE_TOLERANCE * expected_s, slack_s) + link.jitter_s
    return _near(channel, "message", expected_s, measured_s, slack_s)


def _goodput(emulation: Backend, link: Link, channel: Channel, dilation: float) -> Check:
    frame_bytes = FRAME_BYTES + (_ACK_BYTES / 2 if link.duplex == "half" else 0)
    expected = channel.rate_bits_per_s * SEGMENT_BYTES / frame_bytes
    judged = min(expected, JUDGED_BITS_PER_S / dilation)
    seconds = max(_TRANSFER_S, _TRANSFER_ROUND_TRIPS * 2 * channel.delay_s)
    size_bytes = max(_LEAST_TRANSFER_BYTES, round(judged * seconds / 8))
    patience_s = PATIENCE_S + 8 * channel.delay_s
    try:
        with stream(*_ends(emulation, channel), patience_s) as (ours, theirs):
            measured = goodput_bits_per_s(ours, theirs, size_bytes, fills=judged == expected)
    except (TimeoutError, ConnectionError):  # a way that carries nothing
        measured = 0.0
    # TCP needs a queue to fill a link; without one that is deep enough only the bound is judged.
    is_deep = queue_bytes(link, channel) >= judged * 2 * channel.delay_s / 8
    least = judged * (1 - GOODPUT_TOLERANCE) if is_deep else 0.0
    most = expected * (1 + GOODPUT_TOLERANCE)
    return Check(channel.name, "goodput", "bit/s", expected, measured, least, most)


def _loss(emulation: Backend, link: Link, channel: Channel) -> Check:
    from scipy.stats import binom  # noqa: PLC0415 - slow to import, and few links lose packets

    frame_s = 8 * (DATAGRAM_BYTES + 28 + FRAMING_BYTES) / channel.rate_bits_per_s
    interval_s = max(frame_s / _TRAIN_LOAD, _TRAIN_S / _MOST_DATAGRAMS)
    count = max(1, round(_TRAIN_S / interval_s))
    rest_s = 2 * channel.delay_s + 10 * interval_s + _REST_S
    with datagrams(*_ends(emulation, channel)) as (ours, theirs):
        arrived = arrivals(ours, theirs, count, interval_s, rest_s)
    tail = (1 - LOSS_CONFIDENCE) / 2
    least, most = (float(binom.ppf(q, count, link.loss)) / count for q in (tail, 1 - tail))
    return Check(channel.name, "loss", "", link.loss, 1 - arrived / count, least, most)


def _enough(most: int, expected_s: float, link: Link) -> int:
    """Return how many to measure that take so long each."""
    return most if link.jitter_s else min(most, max(_FEWEST, int(_LONG_S / expected_s)))


def _middle(found_s: list[float], link: Link) -> float:
    """Return the median, which outliers do not move; of jitter the mean is what is known."""
    if not found_s:
        return math.inf
    return fmean(found_s) if link.jitter_s else median(found_s)


def _near(channel: Channel, what: What, expected_s: float, found_s: float, slack_s: float) -> Check:
    least_s, most_s = max(0.0, expected_s - slack_s), expected_s + slack_s
    return Check(channel.name, what, "s", expected_s, found_s, least_s, most_s)


def _ends(emulation: Backend, channel: Channel) -> tuple[str, str, str]:
    near, far = emulation.namespace(channel.source), emulation.namespace(channel.target)
    return near, far, emulation.address(channel.target)
