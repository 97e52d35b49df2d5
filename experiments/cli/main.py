"""The program's commands."""

from collections.abc import Callable

from experiments.cli import ending
from experiments.cli.accuracy import accuracy
from experiments.cli.budget import budget
from experiments.cli.calibrate import calibrate
from experiments.cli.certificate import certificate
from experiments.cli.clean import clean
from experiments.cli.compare import compare
from experiments.cli.credentials import credentials
from experiments.cli.doctor import doctor
from experiments.cli.ending import end_with, program_of
from experiments.cli.listing import listing
from experiments.cli.privacy import privacy
from experiments.cli.report import report
from experiments.cli.run import run
from experiments.cli.simulate import simulate
from experiments.cli.sweep import sweep
from experiments.cli.tradeoff import tradeoff
from experiments.cli.train import train
from experiments.cli.worker import worker

app = program_of(
    "Split a model across a trusted edge and clouds you do not trust: how fast, how costly, "
    "and what does each cloud get to see?"
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "list": listing,
    "simulate": simulate,
    "run": run,
    "budget": budget,
    "sweep": sweep,
    "report": report,
    "calibrate": calibrate,
    "compare": compare,
    "train": train,
    "accuracy": accuracy,
    "privacy": privacy,
    "tradeoff": tradeoff,
    "certificate": certificate,
    "worker": worker,
    "credentials": credentials,
    "doctor": doctor,
    "clean": clean,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


_INTERRUPTED = {
    "train": "interrupted; the same command goes on from the last examination that it told of",
    "accuracy": "interrupted; with --out the same command goes on after the splits that are done",
    "sweep": "interrupted; with --out the same command and --resume goes on after what is done",
    "privacy": "interrupted; with --out the same command goes on after the tables that are done",
    "tradeoff": "interrupted; with --out the same command goes on after the tables that are done",
}


def main() -> None:
    """Run the program and leave it with its exit status."""
    end_with(status_of)


def status_of(arguments: list[str]) -> int:
    """Run the program on ``arguments``; see `experiments.cli.ending`.

    Without arguments it shows its help.
    """
    interrupted = _INTERRUPTED.get("".join(arguments[:1]), "interrupted; nothing was written")
    return ending.status_of(app, arguments or ["--help"], interrupted=interrupted)
