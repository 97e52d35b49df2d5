"""Traces of links in Mahimahi's format: one line per opportunity to deliver a packet.

Each line is the millisecond of an opportunity to deliver 1,500 bytes; lines never go back. After
the last line the trace begins again, as late as that line says; an opportunity that nobody uses is
lost (Netravali et al., *Mahimahi: Accurate Record-and-Replay for HTTP*, USENIX ATC 2015). Here the
opportunities of a bin become a rate: at each bin's end, what could be delivered is the same.
"""

import math
from pathlib import Path

import numpy as np

from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.schedules import Schedule, even_schedule
from topologies.writing import write_text

OPPORTUNITY_BYTES = 1500


def read_mahimahi(path: Path, bin_s: float = 0.1) -> Schedule:
    """Return the repeating schedule of a trace: the mean rate in bins of `bin_s`.

    A bin is a whole number of milliseconds; where the trace ends within one, that is shorter.

    Raises DocumentError: a file that cannot be read, a line that is no millisecond or goes back, a
    trace that is empty or over at once. Raises TopologyError: a bin that is not in milliseconds.
    """
    bin_ms = round(bin_s * 1000)
    if bin_ms < 1 or not math.isclose(bin_ms, bin_s * 1000):
        raise TopologyError(f"{path}: bin is {bin_s} s; give whole milliseconds, at least one")
    stamps = _stamps(path)
    period_ms = stamps[-1]
    counts = [0] * -(-period_ms // bin_ms)
    for stamp in stamps:
        counts[max(stamp - 1, 0) // bin_ms] += 1
    widths_ms = [min(bin_ms, period_ms - index * bin_ms) for index in range(len(counts))]
    bits = OPPORTUNITY_BYTES * 8
    rates = [bits * n * 1000 / width for n, width in zip(counts, widths_ms, strict=True)]
    whole = even_schedule(bin_ms / 1000, rates)
    return Schedule(whole.starts_s, whole.rates_bits_per_s, (), period_ms / 1000)


def write_mahimahi(schedule: Schedule, path: Path, duration_s: float | None = None) -> None:
    """Write a period of a schedule, or `duration_s` of it, as a trace, whole or not at all.

    An opportunity comes as soon as the schedule has delivered 1,500 bytes more, and one at the very
    end, without which the trace would begin again too early.

    Raises DocumentError: the file cannot be written. Raises TopologyError: a schedule with delays,
    which the format cannot hold, or one that never ends where no duration is given.
    """
    if schedule.delays_s:
        raise TopologyError(f"{path}: a Mahimahi trace holds no delays; write a schedule without")
    end_s = schedule.period_s if duration_s is None else duration_s
    if end_s is None or not 0.001 <= end_s < math.inf:
        raise TopologyError(f"{path}: duration is {end_s} s; a trace ends: give how long it lasts")
    end_ms = round(end_s * 1000)
    lines: list[str] = []
    for stamp, bits in enumerate(_bits_until(schedule, end_ms), start=1):
        due = math.floor(bits / (8 * OPPORTUNITY_BYTES) + 1e-9)
        due = max(due, len(lines) + 1) if stamp == end_ms else due
        lines += [str(stamp)] * (due - len(lines))
    write_text("\n".join(lines) + "\n", path)


def _bits_until(schedule: Schedule, end_ms: int) -> list[float]:
    """Return what the schedule delivers by the end of each millisecond from the first on."""
    moments_s, rates = [], []
    for moment_s, index in schedule.steps():
        if moment_s * 1000 >= end_ms:
            break
        moments_s.append(moment_s)
        rates.append(schedule.rates_bits_per_s[index])
    moments_s.append(end_ms / 1000)
    bits = np.concatenate(([0.0], np.cumsum(np.diff(moments_s) * rates)))
    stamps_s = np.arange(1, end_ms + 1) / 1000
    return [float(value) for value in np.interp(stamps_s, moments_s, bits)]


def _stamps(path: Path) -> list[int]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII text"
        raise DocumentError(f"{path}: cannot be read: {reason}") from error
    stamps: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.isdecimal():
            raise DocumentError(f"{path}: line {number}: {line!r} is no millisecond; write digits")
        stamp = int(line)
        if stamps and stamp < stamps[-1]:
            raise DocumentError(
                f"{path}: line {number}: {stamp} ms comes after {stamps[-1]} ms; sort the lines"
            )
        stamps.append(stamp)
    if not stamps or stamps[-1] == 0:
        raise DocumentError(f"{path}: the trace lasts no time; end it later than at 0")
    return stamps
