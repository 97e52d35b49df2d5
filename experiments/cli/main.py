"""The program's commands, and what becomes of errors: one line, and an exit status that tells."""

import sys
from collections.abc import Callable

import click
import typer

from experiments.cli.budget import budget
from experiments.cli.doctor import doctor
from experiments.cli.listing import listing
from experiments.cli.simulate import simulate
from sim.errors import PlanError, PolicyError, ScenarioError
from topologies.errors import TopologyError
from workloads.errors import WorkloadError

BAD_INPUT = 2
INTERRUPTED = 130
USER_ERRORS = (TopologyError, WorkloadError, ScenarioError, PolicyError, PlanError)

app = typer.Typer(
    name="tessera",
    help="Split a model across a trusted edge and clouds you do not trust: how fast, how costly, "
    "and what does each cloud get to see?",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "list": listing,
    "simulate": simulate,
    "budget": budget,
    "doctor": doctor,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main() -> None:
    """Run the program and leave it with its exit status."""
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: list[str]) -> int:
    """Run the program on ``arguments``; a user's mistake becomes one line on standard error."""
    try:
        status = typer.main.get_command(app).main(
            arguments, prog_name="tessera", standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_INPUT
    except click.ClickException as error:
        return _complain(error.format_message())
    except USER_ERRORS as error:
        return _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted; nothing was written", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _complain(message: str, status: int = BAD_INPUT) -> int:
    print(f"tessera: {message}", file=sys.stderr)
    return status
