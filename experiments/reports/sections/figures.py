"""The table of all figures: the same means and intervals that ``tessera simulate`` prints."""

from collections.abc import Callable, Sequence
from typing import Final

from experiments.campaign import Campaign
from experiments.reports.kept import Run
from experiments.reports.values import Cell, Mark, Section, Table
from experiments.reports.wording import NONE, percent, rounded, with_interval
from workloads.catalogue import generates

_SATURATED: Final = Mark("saturated", "bad")

Reading = Callable[[Campaign], Cell]


def section(runs: Sequence[Run]) -> Section:
    """Return one row per run."""
    model = runs[0].campaign.scenario.workload.model
    columns = {**_COLUMNS, **(_WRITTEN if generates(model) else _SEEN)}
    rows = tuple(
        (run.label, *(reading(run.campaign) for reading in columns.values())) for run in runs
    )
    several = len(runs[0].campaign.replications) > 1
    caption = (
        "Means over replications, ± half a 95 % interval."
        if several
        else "One replication; 95 % intervals by batch means, where it is long enough."
    )
    if not generates(model):
        caption += (
            " Pixels: the largest part of one input that a cloud, or any two together, received; "
            "mixes: whether tokens that encode other shards were among what was received."
        )
    return Section(
        "figures",
        "All figures",
        tuple(_warnings(runs)),
        (Table("", ("policy", *columns), rows, caption),),
    )


def _warnings(runs: Sequence[Run]) -> list[str]:
    return [
        f"Under {run.label} batches of {found.size} requests are still correlated "
        f"({found.lag_1:.2f}), so intervals may be too narrow."
        for run in runs
        if (found := run.campaign.batches) is not None and found.correlated
    ]


def _timed(name: str, scale: float) -> Reading:
    def reading(campaign: Campaign) -> Cell:
        if campaign.saturation:
            return _SATURATED
        value = campaign.metrics.get(name)
        return NONE if value is None else with_interval(value, scale)

    return reading


def _mean(name: str, scale: float) -> Reading:
    return lambda campaign: rounded(campaign.metrics[name].mean * scale)


def _part(name: str) -> Reading:
    return lambda campaign: percent(campaign.metrics[name].mean)


_COLUMNS: Final[dict[str, Reading]] = {
    "p50 ms": _timed("p50_s", 1e3),
    "p95 ms": _timed("p95_s", 1e3),
    "p99 ms": _timed("p99_s", 1e3),
    "up MB": _mean("bytes_up", 1e-6),
    "down MB": _mean("bytes_down", 1e-6),
    "J": _mean("energy_j", 1.0),
    "mUSD": _mean("cost_usd", 1e3),
}
_SEEN: Final[dict[str, Reading]] = {
    "pixels": _part("pixels_max_node"),
    "by two": _part("pixels_max_pair"),
    "mixes": lambda campaign: "yes" if campaign.metrics["mixes"].mean else "no",
}
_WRITTEN: Final[dict[str, Reading]] = {
    "first token ms": _timed("first_token_s", 1e3),
    "token gap ms": _timed("token_gap_s", 1e3),
    "tokens/s": _timed("tokens_per_s", 1.0),
}
