"""What was seen of each request: worked out once for all of which the same steps came about."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.exposure import Sight, sights
from sim.plan import Step
from sim.rows import Rows
from sim.trace import Outcome
from topologies.topology import Topology


class Sighting(NamedTuple):
    """What untrusted nodes saw, by name, when ``steps`` came about, of ``first`` and its like."""

    steps: Sequence[Step]
    seen: dict[str, Sight]
    first: Outcome


class Sightings(NamedTuple):
    """All that were seen alike, once each, and for each request the place of its own."""

    kinds: list[Sighting]
    kind_of: npt.NDArray[np.int64]


def sightings(rows: Rows, outcomes: Sequence[Outcome], topology: Topology) -> Sightings:
    """Return what was seen of the requests that ended, in the order in which they did."""
    came = rows.columns["share"] > 0
    plan_step, rank = rows.columns["plan_step"][came], rows.columns["rank"][came]
    order = np.lexsort((plan_step, rank))
    bounds = np.searchsorted(rank[order], np.arange(len(outcomes) + 1))
    places: dict[bytes, int] = {}
    kinds: list[Sighting] = []
    kind_of = np.zeros(len(outcomes), dtype=np.int64)
    for request, part in enumerate(np.split(plan_step[order], bounds)[1:-1]):
        key = part.tobytes()
        if key not in places:
            places[key] = len(kinds)
            steps = [rows.steps[place] for place in part]
            kinds.append(Sighting(steps, sights(steps, topology), outcomes[request]))
        kind_of[request] = places[key]
    return Sightings(kinds, kind_of)
