"""``tessera tradeoff``: accuracy, privacy, latency and cost of designs, side by side."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from experiments.cli.chosen import choose
from experiments.cli.ending import command_line
from experiments.cli.laboratory import PartsFolder, ProtocolFile, Scenes, Tuned, WeightsFile
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    progress_bar,
    show,
)
from experiments.cli.plain import finite
from experiments.extras import needs
from experiments.laboratory.table import DESIGNS
from sim.policies.placement import sam_of

if TYPE_CHECKING:
    from experiments.laboratory.tradeoff import Limits, Row


def tradeoff(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName = "small-sam-16",
    policy: PolicySpecs = None,
    settings: Settings = None,
    timing: Annotated[
        str, typer.Option(metavar="SCENARIO", help="Where latency and cost are simulated.")
    ] = "jetson-16-clouds",
    scenes: Scenes = 300,
    protocol: ProtocolFile = None,
    weights: WeightsFile = None,
    tuned: Tuned = None,
    out: PartsFolder = None,
    *,
    until_missed: Annotated[
        bool,
        typer.Option(
            "--until-missed",
            help="Attack no more clouds of a design once one misses the limit for sure: the figure "
            "is what attacks succeed in at least. Without it the same command goes on from there.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put designs side by side: accuracy kept, attack success, exposure, latency, traffic, cost.

    Accuracy and attacks are measured on the model of SCENARIO, latency and cost simulated in
    another, whose deadline counts. What keeps the limits of the protocol and the deadline is
    marked, and the Pareto front. Without --policy it compares the designs of
    experiments/laboratory/table.py.

    Example: tessera tradeoff --policy sharded/deferred --policy sharded/prefix --out results/all
    """
    chosen = choose(scenario, policy or list(DESIGNS), settings, None)
    timed = choose(timing, chosen.specs, None, None)
    with needs("lab", "torch", "PIL", "torchmetrics"):
        from experiments.laboratory.checkpoints import checkpoints  # noqa: PLC0415 - torch
        from experiments.laboratory.designs import Designs  # noqa: PLC0415
        from experiments.laboratory.privacy.measure import measure_by  # noqa: PLC0415
        from experiments.laboratory.privacy.protocol import SHIPPED  # noqa: PLC0415
        from experiments.laboratory.tradeoff import Limits, Row  # noqa: PLC0415
        from experiments.parts import Parts  # noqa: PLC0415
    sam, numbers = sam_of(chosen.scenarios[0].workload.model), chosen.document.real.default
    measure = measure_by(protocol or SHIPPED, sam.variant.image_px)
    known = checkpoints(sam, weights, tuned or [])
    orders = {
        "scenario": chosen.document.model_dump(mode="json"),
        "protocol": measure.protocol.model_dump(mode="json"),
        "scenes": scenes,
        "weights": known.digests(),
    }
    with Parts(out, orders, command_line(context.obj)) as parts:
        designs = Designs(chosen.scenarios, timed.scenarios, known, numbers, measure, scenes, parts)
        with progress_bar("measuring", designs.total) as told:
            found = list(designs.rows(told, told.doing, until_missed=until_missed))
        rows = [each for each in found if isinstance(each, Row)]
        refused = dict(each for each in found if not isinstance(each, Row))
        wanted = measure.protocol.limits
        limits = Limits(wanted.kept, wanted.attacked, timed.scenarios[0].deadline_s)
        title = f"{sam.name} in {chosen.name}, timed in {timed.name}"
        outcome = _found(title, rows, limits, refused)
        parts.conclude("tradeoff", outcome)
    if as_json:
        print(json.dumps(outcome, indent=1))
    else:
        _tell(title, rows, limits, refused)


def _found(
    title: str, rows: "Sequence[Row]", limits: "Limits", refused: dict[str, str]
) -> dict[str, Any]:
    from experiments.laboratory.tradeoff import best  # noqa: PLC0415 - torch

    found = [
        asdict(each) | {"meets": each.meets(limits), "gaps": each.gaps(limits), "front": is_best}
        for each, is_best in zip(rows, best(rows), strict=True)
    ]
    return {"title": title, "limits": asdict(limits), "rows": finite(found), "refused": refused}


def _tell(title: str, rows: "Sequence[Row]", limits: "Limits", refused: dict[str, str]) -> None:
    from experiments.laboratory.tradeoff import best, nearest  # noqa: PLC0415 - torch

    front = best(rows)
    show(_table(title, rows, front, limits))
    for policy, reason in refused.items():
        print(f"{policy}: {reason}")
    meeting = [each.policy for each in rows if all(each.meets(limits))]
    if meeting:
        print(f"All three limits are met by {', '.join(meeting)}.")
        return
    closest = nearest(rows, limits)
    if closest is not None:
        gaps = ", ".join(
            f"{name} {gap:.1f}"
            for name, gap in zip(("accuracy lost", "attack", "latency"), closest.gaps(limits),
                                 strict=True)
        )  # fmt: skip
        print(f"None meets all three. The smallest gap has {closest.policy}, in limits: {gaps}.")


def _table(title: str, rows: "Sequence[Row]", front: Sequence[bool], limits: "Limits") -> Table:
    table = Table(
        title=title,
        caption=f"Limits: at least {limits.kept:.1%} kept (by the lower bound), attacks below "
        f"{limits.attacked:.1%} (by the upper bound), p99 at most {limits.deadline_s * 1e3:.0f} "
        "ms. +: kept. *: on the Pareto front of the three. ≥: of the first clouds, "
        "one of which misses the limit; no others were tried. MB and mUSD per request.",
    )
    names = ("policy", "accuracy kept", "95 %", "identified", "below", "by", "shown", "p50 ms",
             "p99 ms", "up MB", "down MB", "mUSD", "")  # fmt: skip
    for name in names:
        table.add_column(name, justify="left" if name in {"policy", "by"} else "right")
    for each, is_best in zip(rows, front, strict=True):
        marks = ["+" if met else "" for met in each.meets(limits)]
        kept, rate = each.kept, each.identified.rate
        table.add_row(
            each.policy, f"{kept.value:.2%}{marks[0]}", f"{kept.low:.2%} to {kept.high:.2%}",
            f"{'≥ ' * each.at_least}{rate.rate:.2%}",
            "-" if each.at_least else f"{rate.below:.2%}{marks[1]}", each.identified.attack,
            f"{each.pixels:.1%}", f"{each.p50_s * 1e3:.0f}", f"{each.p99_s * 1e3:.0f}{marks[2]}",
            f"{each.bytes_up / 1e6:.2f}", f"{each.bytes_down / 1e6:.2f}",
            f"{each.cost_usd * 1e3:.2f}", "*" if is_best else "",
        )  # fmt: skip
    return table
