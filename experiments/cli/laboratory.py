"""Options that the commands of the laboratory share."""

from pathlib import Path
from typing import Annotated

import typer

WeightsFile = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Checkpoint; default: what ships.")
]
Tuned = Annotated[
    list[str] | None,
    typer.Option(
        "--tuned",
        metavar="MODE=FILE",
        help="A checkpoint that was fine-tuned for a mode, e.g. deferred=my.safetensors.",
    ),
]
ProtocolFile = Annotated[
    Path | None,
    typer.Option("--protocol", metavar="FILE", help="Another protocol than the one that ships."),
]
PartsFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Keep every figure; the same command goes on from there after an interruption.",
    ),
]
Scenes = Annotated[int, typer.Option(min=2, help="Drawn pictures to examine accuracy on.")]
