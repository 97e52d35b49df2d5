"""``tessera tradeoff``: accuracy, privacy, latency and cost of designs, side by side."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from experiments.campaign import run_campaign
from experiments.cli.accuracy import Tuned
from experiments.cli.chosen import choose
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    percentage,
    progress_bar,
    show,
)
from experiments.cli.privacy import measure_by
from experiments.extras import needs
from sim.engine.simulator import Simulator
from sim.policies.placement import sam_of

if TYPE_CHECKING:
    from experiments.laboratory.tradeoff import Limits, Row


def tradeoff(  # noqa: PLR0913, PLR0917 - an option each
    scenario: ScenarioName = "small-sam-16",
    policy: PolicySpecs = None,
    settings: Settings = None,
    timing: Annotated[
        str, typer.Option(metavar="SCENARIO", help="Where latency and cost are simulated.")
    ] = "jetson-16-clouds",
    scenes: Annotated[int, typer.Option(min=2, help="Pictures for accuracy.")] = 300,
    kept: Annotated[str, typer.Option(help="The least accuracy retained.")] = "98.3%",
    attacked: Annotated[str, typer.Option(help="The most success of the best attack.")] = "0.7%",
    protocol: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another protocol of attacks.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Checkpoint; default: what ships.")
    ] = None,
    tuned: Tuned = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep every figure; the same command goes on from there."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Put designs side by side: accuracy kept, attack success, exposure, latency, traffic, cost.

    Accuracy and attacks are measured on the model of SCENARIO, latency and cost simulated in
    another, whose deadline counts. What meets every limit is marked, and the Pareto front.

    Example: tessera tradeoff --policy sharded/deferred --policy sharded/prefix --out results/all
    """
    chosen = choose(scenario, policy, settings, None)
    timed = choose(timing, chosen.specs, None, None)
    with needs("lab", "torch", "PIL", "torchmetrics"):
        from experiments.laboratory.accuracy.sitting import Sitting  # noqa: PLC0415 - torch
        from experiments.laboratory.checkpoints import checkpoints  # noqa: PLC0415
        from experiments.laboratory.parts import Parts  # noqa: PLC0415
        from experiments.laboratory.privacy import protocol as protocols  # noqa: PLC0415
        from experiments.laboratory.privacy.sitting import opened  # noqa: PLC0415
        from experiments.laboratory.privacy.verdict import verdict  # noqa: PLC0415
        from experiments.laboratory.subjects import drawn  # noqa: PLC0415
        from experiments.laboratory.tradeoff import Limits, row  # noqa: PLC0415
    world, numbers = chosen.scenarios[0], chosen.document.real.default
    sam = sam_of(world.workload.model)
    measure = measure_by(protocol or protocols.SHIPPED, sam)
    known = checkpoints(sam, weights, tuned or [])
    limits = Limits(
        percentage(kept, "--kept"),
        percentage(attacked, "--attacked"),
        timed.scenarios[0].deadline_s,
    )
    orders = {
        "scenario": chosen.document.model_dump(mode="json"),
        "protocol": measure.protocol.model_dump(mode="json"),
        "scenes": scenes,
        "weights": known.digests(),
    }
    parts = Parts(out, orders)
    subjects = [drawn(measure.look, world.seed, "test", index) for index in range(scenes)]
    sitting = Sitting(world, known, numbers, subjects, parts)
    total = scenes * (len(chosen.specs) + 1)
    total += measure.protocol.pictures.recorded * len(chosen.specs)
    rows: list[Row] = []
    refused: dict[str, str] = {}
    with progress_bar("measuring", total) as told:
        sitting.open(told)
        for case, simulated in zip(chosen.scenarios, timed.scenarios, strict=True):
            found = sitting.examine(case.policy_name, told)
            if found.refused:
                refused[case.policy_name] = found.refused
                continue
            checkpoint = known.of(getattr(case.policy, "mode", ""))
            tables = opened(case, checkpoint, numbers, measure, parts).tables(told)
            judged = verdict(case.policy_name, tables)
            rows.append(row(found, judged, run_campaign(simulated, Simulator())))
    _tell(
        f"{sam.name} in {chosen.name}, timed in {timed.name}",
        rows,
        limits,
        refused,
        as_json=as_json,
    )


def _tell(
    title: str, rows: "Sequence[Row]", limits: "Limits", refused: dict[str, str], *, as_json: bool
) -> None:
    from experiments.laboratory.tradeoff import best, nearest  # noqa: PLC0415 - torch

    front = best(rows)
    if as_json:
        found = [
            asdict(each) | {"meets": each.meets(limits), "front": is_best}
            for each, is_best in zip(rows, front, strict=True)
        ]
        print(json.dumps({"limits": asdict(limits), "rows": found, "refused": refused}, indent=1))
        return
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
        "ms. +: kept. *: on the Pareto front of the three. MB and mUSD per request.",
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
            f"{rate.rate:.2%}", f"{rate.below:.2%}{marks[1]}", each.identified.attack,
            f"{each.pixels:.1%}", f"{each.p50_s * 1e3:.0f}", f"{each.p99_s * 1e3:.0f}{marks[2]}",
            f"{each.bytes_up / 1e6:.2f}", f"{each.bytes_down / 1e6:.2f}",
            f"{each.cost_usd * 1e3:.2f}", "*" if is_best else "",
        )  # fmt: skip
    return table
