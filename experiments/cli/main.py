"""The program's commands, and what becomes of errors: one line, and an exit status that tells."""

import signal
import sys
from collections.abc import Callable
from typing import cast

import typer

from experiments.cli.budget import budget
from experiments.cli.calibrate import calibrate
from experiments.cli.certificate import certificate
from experiments.cli.clean import clean
from experiments.cli.compare import compare
from experiments.cli.credentials import credentials
from experiments.cli.doctor import doctor
from experiments.cli.listing import listing
from experiments.cli.run import run
from experiments.cli.simulate import simulate
from experiments.cli.worker import worker
from real_runner.errors import RealRunError, RunRefusedError
from sim.errors import PlanError, PolicyError, ScenarioError
from topologies.errors import TopologyError
from workloads.errors import WorkloadError

BAD_INPUT = 2
INTERRUPTED = 130
USER_ERRORS = (
    TopologyError, WorkloadError, ScenarioError, PolicyError, PlanError, RealRunError,
)  # fmt: skip

# All that typer can have against a command line: click's base of it, wherever click comes from.
_UsageError = cast(
    "type[typer.BadParameter]",
    next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)

app = typer.Typer(
    name="tessera",
    help="Split a model across a trusted edge and clouds you do not trust: how fast, how costly, "
    "and what does each cloud get to see?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "list": listing,
    "simulate": simulate,
    "run": run,
    "budget": budget,
    "calibrate": calibrate,
    "compare": compare,
    "certificate": certificate,
    "worker": worker,
    "credentials": credentials,
    "doctor": doctor,
    "clean": clean,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main() -> None:
    """Run the program and leave it with its exit status; a request to end is an interrupt."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: list[str]) -> int:
    """Run the program on ``arguments``; a user's mistake becomes one line on standard error.

    Without arguments it shows its help.
    """
    command = typer.main.get_command(app)
    try:
        status = command.main(
            arguments or ["--help"], prog_name="tessera", standalone_mode=False, obj=arguments
        )
    except RunRefusedError as error:
        return _complain(str(error), 1)
    except USER_ERRORS as error:
        return _complain(str(error))
    except _UsageError as error:
        return _complain(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:  # typer may turn the signal into the status by itself
        return _complain("interrupted; nothing was written", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _complain(message: str, status: int = BAD_INPUT) -> int:
    print(f"tessera: {' '.join(message.split())}", file=sys.stderr)
    return status
