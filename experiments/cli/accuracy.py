"""``tessera accuracy``: how much of the unsplit model's accuracy each split keeps."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from experiments.cli.chosen import choose
from experiments.cli.ending import command_line
from experiments.cli.laboratory import PartsFolder, Scenes, Tuned, WeightsFile
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
from sim.errors import ScenarioError
from sim.policies.placement import sam_of

if TYPE_CHECKING:
    from experiments.laboratory.accuracy.sitting import Result
    from experiments.laboratory.subjects import Subject
    from workloads.sam.model import Sam


def accuracy(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName = "small-sam-16",
    policy: PolicySpecs = None,
    settings: Settings = None,
    scenes: Scenes = 300,
    prior: Annotated[
        float, typer.Option(min=0, max=1, help="How much one part of a scene tells of others.")
    ] = 0.5,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures of yours instead of drawn ones.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="NAME.png for each picture: a number per object, 0 for none."
        ),
    ] = None,
    weights: WeightsFile = None,
    tuned: Tuned = None,
    out: PartsFolder = None,
    *,
    grid: Annotated[
        bool, typer.Option("--grid", help="Every mode, assignment, number of clouds and codec.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how much of the unsplit model's accuracy splits keep, on the same pictures.

    Pictures are drawn scenes with a point and a box on each object, or your own. The plans are the
    ones that 'simulate' and 'run' execute, and everything that travels is written by its codec.

    Example: tessera accuracy small-sam-16 --policy sharded/deferred --policy sharded/exact
    """
    if masks is not None and images is None:
        raise ScenarioError(f"--masks {masks}: belong to pictures; name these with --images DIR")
    chosen = choose(scenario, policy, settings, None)
    world = chosen.scenarios[0]
    with needs("real", "torch", "PIL"):
        from experiments.laboratory.accuracy.cells import grid as all_cells  # noqa: PLC0415 - torch
        from experiments.laboratory.accuracy.sitting import Sitting  # noqa: PLC0415
        from experiments.laboratory.checkpoints import checkpoints  # noqa: PLC0415
        from experiments.parts import Parts  # noqa: PLC0415
    sam = sam_of(world.workload.model)
    specs = all_cells(len(world.topology.clouds)) if grid else chosen.specs
    known = checkpoints(sam, weights, tuned or [])
    orders = {
        "scenario": chosen.document.model_dump(mode="json"),
        "scenes": None if images else scenes,
        "prior": prior,
        "pictures": _digests(images),
        "masks": _digests(masks),
        "weights": known.digests(),
    }
    with Parts(out, orders, command_line(context.obj)) as parts:
        subjects = _subjects(sam, images, masks, (prior, world.seed, scenes))
        sitting = Sitting(world, known, chosen.document.real.default, subjects, parts)
        with progress_bar("examining", len(subjects) * (len(specs) + 1)) as told:
            sitting.open(told)
            results = [sitting.examine(spec, told) for spec in specs]
        title = f"{chosen.name}: {sam.name}"
        found = {"title": title, "policies": finite([asdict(each) for each in results])}
        parts.conclude("accuracy", found)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        show(_table(title, [each for each in results if not each.refused]))
        for each in results:
            if each.refused:
                print(f"{each.policy}: {each.refused}")


def _digests(folder: Path | None) -> dict[str, str] | None:
    """Return what tells a folder's pictures from others."""
    from experiments.laboratory.checkpoints import digest  # noqa: PLC0415 - torch
    from experiments.laboratory.subjects import pictures_in  # noqa: PLC0415

    return None if folder is None else {path.name: digest(path) for path in pictures_in(folder)}


def _subjects(
    sam: "Sam", images: Path | None, masks: Path | None, drawing: tuple[float, int, int]
) -> "list[Subject]":
    from experiments.laboratory.subjects import drawn, photographed  # noqa: PLC0415 - torch
    from workloads.scenes import Look  # noqa: PLC0415 - with scipy

    if images is not None:
        return list(photographed(images, masks))
    prior, seed, scenes = drawing
    look = Look(side_px=sam.variant.image_px, prior=prior)
    return [drawn(look, seed, "test", index) for index in range(scenes)]


def _table(title: str, results: "list[Result]") -> Table:
    caption = "kept: mean IoU over the unsplit model's, the same prompts of both, 95 % interval "
    caption += "over pictures; agreement: IoU with the unsplit model's masks, and equal ones; "
    caption += "kB of a picture to clouds and from them."
    if results:
        title += f", {results[0].prompts} prompts on {results[0].pictures} pictures"
    table = Table(title=title, caption=caption)
    names = ("policy", "mIoU", "point", "box", "kept", "", "agreement", "equal", "kB up", "down")
    for name in names:
        table.add_column(name, justify="left" if name == "policy" else "right")
    for result in results:
        table.add_row(result.policy, *_figures(result))
    return table


def _figures(result: "Result") -> list[str]:
    of_masks = ["-"] * 5
    if result.miou is not None and result.kept is not None:
        mious, share = result.miou, result.kept["all"]
        of_masks = [f"{mious[kind]:.3f}" if kind in mious else "-" for kind in _KINDS]
        of_masks += [f"{share.value:.2%}", f"{share.low:.2%} to {share.high:.2%}"]
    traffic = [f"{each / 1e3:.0f}" for each in (result.bytes_up, result.bytes_down)]
    return [*of_masks, f"{result.agreement:.4f}", f"{result.same:.1%}", *traffic]


_KINDS = ("all", "point", "box")
