"""The command line, as the program itself explains it."""

from typing import Any

import typer

from experiments.cli.main import app
from reference.prose import code, table

_OPENING = """# Command line

`tessera COMMAND --help` says the same on a terminal. Durations and rates carry units (`320ms`,
`200Mbit/s`); a bare number where a unit is needed is an error. The exit status is 0 where all
went well, 1 where a run says no (a deadline that does not hold, a request that failed, links
that are not what they should be), 2 for bad input, 3 for too few samples, 130 after Ctrl-C.
"""


def page() -> str:
    """Return the page: a section per command, its arguments and options, and an example."""
    program = typer.main.get_command(app)
    commands = program.commands  # type: ignore[attr-defined] # a group's
    return "\n".join([_OPENING, *(_section(name, each) for name, each in commands.items())])


def _section(name: str, command: typer.core.TyperCommand) -> str:
    text, _, example = (command.help or "").partition("Example: ")
    shown = f"```text\n{' '.join(example.split())}\n```\n" if example else ""
    rows = [_row(each) for each in command.params if each.name != "help"]
    options = table(("", "", "default"), rows) if rows else ""
    return f"## tessera {name}\n\n{text.strip()}\n\n{options}\n{shown}"


def _row(parameter: Any) -> tuple[str, str, str]:
    flag = getattr(parameter, "is_flag", False)
    value = "" if flag else parameter.metavar or "VALUE"
    option = isinstance(parameter, typer.core.TyperOption)
    names = ", ".join(parameter.opts) if option else ""
    help_ = f"{parameter.help or ''}{' Required.' if parameter.required else ''}"
    return code(f"{names} {value}".strip()), help_, "" if flag else _default(parameter.default)


def _default(value: object) -> str:
    return "" if value in (None, "", ()) else code(getattr(value, "value", value))
