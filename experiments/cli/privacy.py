"""``tessera privacy``: what clouds, alone and together, learn of pictures that are split."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from experiments.cli.chosen import choose
from experiments.cli.ending import command_line
from experiments.cli.laboratory import PartsFolder, ProtocolFile, Tuned, WeightsFile
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    progress_bar,
    show,
)
from experiments.cli.plain import finite
from experiments.cli.texts import texts
from experiments.extras import needs
from sim.errors import PolicyError, ScenarioError
from sim.policies.placement import sam_of
from workloads.llama.model import Llama

if TYPE_CHECKING:
    import pandas as pd

    from experiments.laboratory.privacy.measure import Measure
    from experiments.laboratory.privacy.sitting import Sitting
    from experiments.laboratory.privacy.verdict import Verdict, Worst
    from workloads.sam.model import Sam

_DRAWN = 6
"""Pictures in a figure."""
Tables = dict[str, dict[str, "pd.DataFrame"]]


def privacy(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName = "small-sam-16",
    policy: PolicySpecs = None,
    settings: Settings = None,
    protocol: ProtocolFile = None,
    weights: WeightsFile = None,
    tuned: Tuned = None,
    out: PartsFolder = None,
    *,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Set the thresholds of the calibrated rate from baselines, and nothing else; "
            "once per protocol, before any attack.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Record what every cloud receives and sends, and attack it by a protocol fixed beforehand.

    For each policy: who can tell which picture it was (ID-ASR@1), who comes nearer to it than
    chance (calibrated), alone, in coalitions, and over frames of a scene at rest; what pictures are
    of; and what is shown in the clear anyway.

    Of a language model in three parts: which tokens and secrets the cloud in the middle recovers.

    Example: tessera privacy small-sam-16 --policy sharded/deferred --out results/privacy
    """
    chosen = choose(scenario, policy, settings, None)
    with needs("lab", "torch", "PIL", "torchmetrics"):
        from experiments.laboratory.checkpoints import checkpoints  # noqa: PLC0415 - torch
        from experiments.laboratory.privacy import protocol as protocols  # noqa: PLC0415
        from experiments.laboratory.privacy.measure import measure_by  # noqa: PLC0415
        from experiments.laboratory.privacy.sitting import opened  # noqa: PLC0415
        from experiments.parts import Parts  # noqa: PLC0415
    model, path = chosen.scenarios[0].workload.model, protocol or protocols.SHIPPED
    if isinstance(model, Llama):
        if freeze or tuned:
            option = "--freeze" if freeze else "--tuned"
            raise ScenarioError(f"{option}: is of pictures, and {model.name!r} writes text")
        command = command_line(context.obj)
        texts(chosen, protocols.read_protocol(path), weights, out, command, as_json=as_json)
        return
    sam = sam_of(model)
    if freeze:
        _freeze(path, sam)
        return
    measure = measure_by(path, sam.variant.image_px)
    known = checkpoints(sam, weights, tuned or [])
    orders = {
        "scenario": chosen.document.model_dump(mode="json"),
        "protocol": measure.protocol.model_dump(mode="json"),
        "weights": known.digests(),
    }
    numbers, recorded = chosen.document.real.default, measure.protocol.pictures.recorded
    found: Tables = {}
    refused: dict[str, str] = {}
    with (
        Parts(out, orders, command_line(context.obj)) as parts,
        progress_bar("recording", recorded * len(chosen.specs)) as told,
    ):
        for case in chosen.scenarios:
            try:
                sitting = opened(case, known.of(case.policy), numbers, measure, parts)
                tables = found[case.policy_name] = sitting.tables(told, told.doing)
            except PolicyError as error:  # of one; the others go on
                refused[case.policy_name] = str(error)
                continue
            if out is not None:
                _draw(sitting, tables, out, case.policy_name)
        if not found:
            raise PolicyError("; ".join(refused.values()))
        outcome = _found(f"{sam.name} in {chosen.name}", found, refused, measure)
        parts.conclude("privacy", outcome)
    if as_json:
        print(json.dumps(outcome, indent=1))
    else:
        _tell(found, refused, measure.protocol.candidates)


def _draw(sitting: "Sitting", tables: "dict[str, pd.DataFrame]", out: Path, policy: str) -> None:
    """Draw a policy's figure, unless it is there."""
    from experiments.keeping import whole  # noqa: PLC0415 - torch
    from experiments.laboratory.privacy.sitting import ALONE  # noqa: PLC0415

    path = out / _picture(policy)
    if not path.exists():
        figure = sitting.plate(tables[ALONE], _DRAWN)
        with whole(path) as part:
            figure.save(part, "PNG")


def _picture(policy: str) -> str:
    """Return the file of a policy's figure."""
    return f"{''.join(letter if letter.isalnum() else '-' for letter in policy)}.png"


def _freeze(path: Path, sam: "Sam") -> None:
    from experiments.laboratory.privacy.calibrating import calibrated  # noqa: PLC0415 - torch
    from experiments.laboratory.privacy.protocol import (  # noqa: PLC0415
        THRESHOLDS,
        freeze,
        read_protocol,
    )

    beside = path.with_name(THRESHOLDS)
    if beside.exists():
        raise ScenarioError(f"{beside}: is frozen already; another protocol is another file")
    protocol = read_protocol(path)
    with progress_bar("drawing", protocol.pictures.calibrate * 2) as told:
        found = calibrated(protocol, sam.variant.image_px, told)
    freeze(path, found.ssim, found.psnr_db)
    print(f"A success has an SSIM of {found.ssim:.3f} and {found.psnr_db:.1f} dB: {beside}")


def _found(
    title: str, found: Tables, refused: dict[str, str], measure: "Measure"
) -> dict[str, Any]:
    from experiments.laboratory.privacy.verdict import verdict  # noqa: PLC0415 - torch

    policies = [
        asdict(verdict(spec, tables)) | _records(tables) | {"picture": _picture(spec)}
        for spec, tables in found.items()
    ]
    return {
        "title": title,
        "candidates": measure.protocol.candidates,
        "attacked": measure.protocol.limits.attacked,
        "policies": finite(policies),
        "refused": refused,
    }


def _tell(found: Tables, refused: dict[str, str], candidates: int) -> None:
    from experiments.laboratory.privacy.sitting import (  # noqa: PLC0415 - torch
        FRAMES,
        PLACED,
        TOGETHER,
    )
    from experiments.laboratory.privacy.verdict import curve, verdict  # noqa: PLC0415

    verdicts = [verdict(spec, tables) for spec, tables in found.items()]
    show(_verdicts(verdicts, candidates))
    for title, table, by in (
        ("Coalitions: identified by the best (A2)", TOGETHER, "k"),
        ("A scene at rest, assigned anew for each frame (A2)", FRAMES, "frames"),
    ):
        curves = {spec: curve(tables[table], by) for spec, tables in found.items()}
        show(_curves(title, by, curves))
    for spec, tables in found.items():
        for row in tables[PLACED].to_dict("records"):
            print(
                f"{spec}: of {row['windows']} windows {row['mean']:.1%} are put back in their "
                f"places by what they show, were those secret (A6; by chance {row['chance']:.1%})"
            )
    for policy, reason in refused.items():
        print(f"{policy}: {reason}")


def _records(tables: "dict[str, pd.DataFrame]") -> dict[str, object]:
    return {name: table.to_dict("records") for name, table in tables.items()}


def _verdicts(verdicts: "list[Verdict]", candidates: int) -> Table:
    table = Table(
        title="What the worst cloud can do, by the best attack",
        caption=f"identified: its true picture first of {candidates}, by unseen pixels alone, and "
        "the one-sided upper bound (Clopper and Pearson, 95 %); passed: SSIM and PSNR beyond what "
        "knows nothing of the picture; shown: in the clear, without any attack.",
    )
    for name in ("policy", "identified", "below", "by", "passed", "below", "by", "pixels shown",
                 "objects half shown"):  # fmt: skip
        table.add_column(name, justify="left" if name in {"policy", "by"} else "right")
    for each in verdicts:
        table.add_row(
            each.policy, *_rate(each.identified), *_rate(each.passed),
            f"{each.pixels:.1%}", f"{each.objects_half:.1%}",
        )  # fmt: skip
    return table


def _rate(worst: "Worst") -> tuple[str, str, str]:
    return f"{worst.rate.rate:.2%}", f"{worst.rate.below:.2%}", f"{worst.attack}, {worst.who}"


def _curves(title: str, by: str, curves: "dict[str, dict[int, Worst]]") -> Table:
    sizes = sorted({size for each in curves.values() for size in each})
    table = Table(title=title)
    table.add_column("policy")
    for size in sizes:
        table.add_column(f"{by} = {size}", justify="right")
    for spec, each in curves.items():
        cells = [f"{each[size].rate.rate:.1%}" if size in each else "-" for size in sizes]
        table.add_row(spec, *cells)
    return table
