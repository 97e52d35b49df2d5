"""``tessera train``: trains a small SAM on drawn scenes."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from experiments.cli.options import progress_bar
from experiments.extras import needs
from experiments.laboratory.training.orders import Mark, Optimiser, Order, Orders, Precision
from workloads.errors import WorkloadError
from workloads.sam.variants import VARIANTS
from workloads.sam.withholding import MOST_TREND

USUAL = Orders(variant="small")


def train(  # noqa: PLR0913, PLR0917 - an option each
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the course.")],
    variant: Annotated[str, typer.Option(help="Which SAM, e.g. small.")] = USUAL.variant,
    order: Annotated[
        Order,
        typer.Option(help="As which mode blocks run: SAM's own order, or a mode that changes it."),
    ] = USUAL.order,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole course.")] = USUAL.steps,
    batch: Annotated[int, typer.Option(min=1, help="Scenes of a step.")] = USUAL.batch,
    prompts: Annotated[
        int, typer.Option(min=1, help="Objects of a scene that are asked for, at most.")
    ] = USUAL.prompts,
    rate: Annotated[float, typer.Option(min=1e-9, help="The highest learning rate.")] = USUAL.rate,
    optimiser: Annotated[
        Optimiser, typer.Option(help="muon learns more from a step, which takes longer.")
    ] = USUAL.optimiser,
    precision: Annotated[
        Precision, typer.Option(help="Of products of matrices; bf16 is faster where it is native.")
    ] = USUAL.precision,
    prior: Annotated[
        float, typer.Option(min=0, max=1, help="How much one part of a scene tells of others.")
    ] = USUAL.prior,
    begin_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A checkpoint to begin with, e.g. another's."),
    ] = None,
    pool: Annotated[int, typer.Option(min=1, help="Tokens that become one landmark.")] = USUAL.pool,
    withhold: Annotated[
        int,
        typer.Option(
            min=0, help="Patches along a side whose mean colour clouds are not told; 0: all told."
        ),
    ] = USUAL.withhold,
    trend: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_TREND, help="Degree of the trend of each window that goes with them."
        ),
    ] = USUAL.trend,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the first numbers and of all scenes.")
    ] = USUAL.seed,
    every: Annotated[
        int, typer.Option(min=1, help="Steps between two examinations.")
    ] = USUAL.every,
    examined: Annotated[
        int, typer.Option(min=1, help="Scenes of an examination.")
    ] = USUAL.examined,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="What computes; auto: a GPU if any.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of a CPU; 0: all it has.")] = 0,
) -> None:
    """Train a small SAM on drawn scenes, with points and boxes, by SAM's own losses.

    The folder holds where the course stands: the same command goes on from there, as if it had
    never been interrupted. At the end the weights are in DIR/model.safetensors, in half
    precision, and what made them, with its figures, in DIR/training.json.

    Fine-tuned for a mode a model is better at it: --order deferred --from small/model.safetensors.

    Example: tessera train --variant small --out runs/small
    """
    if variant not in VARIANTS:
        raise WorkloadError(
            f"--variant {variant!r}: is unknown; choose one of {', '.join(VARIANTS)}"
        )
    try:
        orders = Orders(
            variant=variant, order=order, steps=steps, batch=batch, prompts=prompts, rate=rate,
            prior=prior, seed=seed, every=every, examined=examined, pool=pool, withhold=withhold,
            trend=trend, optimiser=optimiser, precision=precision,
        )  # fmt: skip
    except ValidationError as error:  # of a number that is none
        first = error.errors()[0]
        where = f"--{first['loc'][0]} {first['input']}: " if first["loc"] else "--"
        message = first["msg"].removeprefix("Value error, ")
        raise WorkloadError(f"{where}{message}") from error
    with needs("real", "torch", "PIL"):
        from experiments.laboratory.training.sitting import go_through  # noqa: PLC0415 - torch

    def show(mark: Mark) -> None:
        print(
            f"step {mark.step}: loss {mark.loss:.3f}, mean IoU with a point {mark.point:.3f}, with "
            f"a box {mark.box:.3f}; {mark.seconds:.0f} s",
            flush=True,
        )

    with progress_bar("training", steps) as told:
        report = go_through(orders, out, device, threads, begin_from, told, show)
    test = report["test"]
    print(
        f"On {test['scenes']} scenes that it has never seen: mean IoU {test['miou_point']:.3f} with"
        f" one point, {test['miou_box']:.3f} with a box. Weights and figures are in {out}"
    )
