"""Which splits are examined: all of them, or those that somebody names."""

from itertools import product
from typing import Final, get_args

from sim.policies.assignment import SchemeName
from workloads.sam.modes import MODES

CLOUDS: Final = (2, 4, 8, 16, 25)
CODECS: Final = ("fp16", "int8", "int4")


def grid(clouds: int) -> list[str]:
    """Return every mode × assignment × number of clouds × codec as policies' specifications.

    ``clouds`` is how many there are.
    """
    counts = [count for count in CLOUDS if count <= clouds]
    return [
        f"sharded/{mode}:assignment={scheme},clouds={count},codec={codec}"
        for mode, scheme, count, codec in product(MODES, get_args(SchemeName), counts, CODECS)
    ]
