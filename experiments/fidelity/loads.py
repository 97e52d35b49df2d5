"""What a channel moves while a transfer is on it: that transfer's load.

All that are on a channel share its rate alike. Each consists of parts: its bytes, its message, and
what a codec makes of it, all in what the channel can move meanwhile.
"""

from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def fair_loads(start_s: Floats, parts_bytes: Floats, bytes_per_s: float) -> Floats:
    """Return per transfer how much of each part a channel moves while it is on it.

    ``parts_bytes`` has shape (transfers, parts), and so has the result. Of a transfer that is on
    the channel for part of that time, that part counts. Processor sharing, kept as one virtual
    clock that each needs its own size of. Every transfer must have some bytes.

    >>> start, parts = np.array([0.0, 0.0, 9.0]), np.array([[6.0, 2.0], [2.0, 2.0], [2.0, 2.0]])
    >>> fair_loads(start, parts, 2.0).tolist()
    [[8.0, 4.0], [5.0, 3.0], [2.0, 2.0]]
    """
    total_bytes = parts_bytes.sum(axis=1)
    mixtures = parts_bytes / total_bytes[:, None]
    loads = np.zeros(parts_bytes.shape)
    moved, mixture = np.zeros(parts_bytes.shape[1]), np.zeros(parts_bytes.shape[1])
    present: list[tuple[float, int]] = []
    now_s = served_bytes = 0.0
    arrivals = [(float(start_s[each]), int(each)) for each in np.argsort(start_s, kind="stable")]
    for next_s, arriving in [*arrivals, (np.inf, -1)]:
        while present:
            mark, first = present[0]
            done_s = now_s + (mark - served_bytes) * len(present) / bytes_per_s
            if done_s > next_s:
                break
            heappop(present)
            moved += (mark - served_bytes) * mixture
            mixture -= mixtures[first]
            now_s, served_bytes = done_s, mark
            loads[first] += moved
        if arriving >= 0:
            if present:
                each_bytes = (next_s - now_s) * bytes_per_s / len(present)
                moved += each_bytes * mixture
                served_bytes += each_bytes
            now_s = next_s
            heappush(present, (served_bytes + float(total_bytes[arriving]), arriving))
            mixture += mixtures[arriving]
            loads[arriving] -= moved
    return loads
