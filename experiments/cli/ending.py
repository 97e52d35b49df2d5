"""How a program ends: with a status that tells, and one line on what was wrong."""

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn, cast

import typer

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


def program_of(help_: str) -> typer.Typer:
    """Return a program without commands yet."""
    return typer.Typer(
        help=help_,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def end_with(status: Callable[[list[str]], int]) -> NoReturn:
    """Leave this process with the status of its arguments; a request to end is an interrupt."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    sys.exit(status(sys.argv[1:]))


def _as_interrupt(_: int, frame: FrameType | None) -> None:
    """Do what an interrupt does, also where interrupts are ignored, as a shell's ``&`` has it."""
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


def status_of(
    program: typer.Typer,
    arguments: list[str],
    name: str = "tessera",
    interrupted: str = "interrupted",
) -> int:
    """Run a program on ``arguments``; a user's mistake becomes one line on standard error."""
    command = typer.main.get_command(program)
    try:
        status = command.main(arguments, prog_name=name, standalone_mode=False, obj=arguments)
    except RunRefusedError as error:
        return _complain(str(error), 1)
    except USER_ERRORS as error:
        return _complain(str(error))
    except _UsageError as error:
        return _complain(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:  # typer may turn the signal into the status by itself
        return _complain(interrupted, INTERRUPTED)
    return status if isinstance(status, int) else 0


def command_line(arguments: Sequence[str]) -> str:
    """Return what was typed, as a shell takes it, for whoever wants the same again.

    >>> command_line(["simulate", "mine.yaml", "--set", "seed=1 "])
    "tessera simulate mine.yaml --set 'seed=1 '"
    """
    return shlex.join(("tessera", *arguments))


def _complain(message: str, status: int = BAD_INPUT) -> int:
    print(f"tessera: {' '.join(message.split())}", file=sys.stderr)
    return status
