"""``tessera calibrate``: measures what a model's stages take here, for the simulator to use."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from experiments.cli.options import show
from experiments.extras import needs
from real_runner.calibration.order import Order
from real_runner.calibration.process import Calibration
from real_runner.calibration.process import calibrate as measure
from real_runner.deployment import NodeSpec
from real_runner.models import model_text
from sim.calibration import fits
from sim.profiles import Profile, merged, read_profile, write_profile
from workloads.catalogue import model_named
from workloads.images import Image

Dtype = Literal["fp32", "bf16", "fp16"]
_IMPORTED = ("torch", "safetensors", "PIL")  # by the process that measures


def calibrate(  # noqa: PLR0913, PLR0917 - an option each
    model: Annotated[str, typer.Option(help="What to measure; see 'tessera list workloads'.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Profile: .yaml or .json.")],
    stages: Annotated[
        list[str] | None,
        typer.Option(
            "--stages",
            metavar="KIND",
            help="Kind of stage, e.g. sam.windowed; may be repeated. Default: all that "
            "there is a real computation for. With it, other kinds that FILE has already are "
            "kept.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute.")] = 1,
    dtype: Annotated[Dtype, typer.Option(help="Arithmetic.")] = "fp32",
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="What computes.")] = "cpu",
    repetitions: Annotated[int, typer.Option(min=1, help="Timings of each stage.")] = 20,
    weights: Annotated[
        Path | None, typer.Option(help="A checkpoint of the model; default: random numbers.")
    ] = None,
    image: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Size of the captured picture, in pixels.")
    ] = f"{Image().width_px}x{Image().height_px}",
) -> None:
    """Measure the stages of a model on this machine, into a profile that scenarios can name.

    A scenario uses it with ``cost: {DEVICE: FILE}``, DEVICE being a device of its topology.

    Example: tessera calibrate --model sam-small --out this-machine.yaml
    """
    kinds = tuple(kind if "." in kind else f"{model.partition('-')[0]}.{kind}"
                  for kind in stages or ())  # fmt: skip
    chosen = model_named(model, image=_image(image), precision=dtype)
    order = Order(
        model=model_text(chosen),
        spec=NodeSpec(threads=threads, dtype=dtype, device=device),
        kinds=kinds,
        repetitions=repetitions,
        weights=weights,
    )
    earlier = read_profile(out) if kinds and out.exists() else None
    with needs("real", *_IMPORTED):
        found = _measured(order, dtype, f"tessera calibrate --model {model}")
    profile = merged(earlier, found.profile, str(out)) if earlier else found.profile
    write_profile(profile, out)
    show(_table(profile), f"Measured on {profile.device}; the profile is {out}")
    if found.left_out:
        show(f"Left out, since nothing computes them for real yet: {', '.join(found.left_out)}")


def _image(size: str) -> Image:
    width, times, height = size.partition("x")
    if not (times and width.isdigit() and height.isdigit()):
        raise typer.BadParameter(f"--image {size!r}: write it as WIDTHxHEIGHT, e.g. 1920x1080")
    return Image(int(width), int(height))


def _measured(order: Order, precision: str, source: str) -> Calibration:
    terminal = Console(stderr=True)
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=terminal, transient=True, disable=not terminal.is_terminal
    ) as progress:
        task = progress.add_task("measuring", total=None)
        return measure(
            order,
            precision,
            source,
            lambda done, of: progress.update(task, completed=done, total=of),
        )


def _table(profile: Profile) -> Table:
    table = Table(
        title=f"{profile.dtype}, {profile.threads} thread{'s'[: profile.threads > 1]}, "
        f"torch {profile.torch}",
        caption="ms: medians of the quickest and the slowest stage of the kind. spread: half the "
        "interquartile range over the median, median of all. fit: how far the kind's fit is from "
        "what was measured, median and worst.",
    )
    table.add_column("kind", no_wrap=True)
    for name in ("stages", "timings", "ms", "spread", "fit", "worst"):
        table.add_column(name, justify="right")
    for kind, found in fits(profile).items():
        rows = [row for row in profile.rows if row.kind == kind]
        low_s, high_s = (f(row.median_s for row in rows) for f in (min, max))
        spreads = sorted((row.q3_s - row.q1_s) / 2 / row.median_s for row in rows)
        table.add_row(
            kind,
            f"{len(rows)}",
            f"{min(row.repetitions for row in rows)}",
            f"{low_s * 1e3:.3g}" + (f" to {high_s * 1e3:.3g}" if len(rows) > 1 else ""),
            f"{spreads[len(spreads) // 2]:.1%}",
            f"{found.median_error:.1%}" if len(rows) > 1 else "-",
            f"{found.worst_error:.1%}" if len(rows) > 1 else "-",
        )
    return table
