"""What a measurement comes to: the best attack on the worst node, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments.laboratory.attacks.statistics import Proportion, proportion
from experiments.laboratory.privacy.judging import worst
from experiments.laboratory.privacy.sitting import ALONE, QUICK, SHOWN


@dataclass(frozen=True, slots=True)
class Worst:
    """The attack that succeeded most often for sure (`judging.worst`), on whom, and its bounds.

    These are of the attack and the node that did best, chosen after the fact: on the safe side.
    """

    who: str
    attack: str
    rate: Proportion


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one policy.

    ``identified`` is ID-ASR@1, ``passed`` the calibrated rate of success, each of the worst of
    attack and node; ``pixels`` is the largest fraction of a picture that one node is shown,
    ``objects_half`` the largest of objects at least half of which it is shown. Where it is
    ``at_least``, only the first clouds were attacked, and others may give away more.
    """

    policy: str
    identified: Worst
    passed: Worst
    pixels: float
    objects_half: float
    psnr_db: float
    ssim: float
    at_least: bool


def verdict(policy: str, tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return what the tables of a policy come to."""
    whole = ALONE in tables
    alone, shown = tables[ALONE if whole else QUICK], tables[SHOWN]
    return Verdict(
        policy,
        _worst(alone, "identified"),
        _worst(alone, "passed"),
        float(shown["pixels"].max()),
        float(shown["half"].max()),
        float(alone["psnr_db"].max()),
        float(alone["ssim"].max()),
        not whole,
    )


def _worst(table: pd.DataFrame, column: str) -> Worst:
    row = table.iloc[worst(table, column)]
    return Worst(
        str(row["who"]), str(row["attack"]), proportion(int(row[column]), int(row["pictures"]))
    )


def curve(table: pd.DataFrame, by: str) -> dict[int, Worst]:
    """Return the worst of each size of coalition, or number of frames."""
    sizes = sorted(set(table[by].tolist()))
    return {size: _worst(table[table[by] == size], "identified") for size in sizes}
