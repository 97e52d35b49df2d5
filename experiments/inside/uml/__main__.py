"""Any program in a guest: ``python -m experiments.inside.uml [--memory SIZE] -- COMMAND ARG...``.

The exit status is the program's; 127 where there is no such program, 125 where the guest failed,
2 where there can be none.
"""

import argparse
import signal
import sys

from experiments.inside.uml.launching import run_in_guest
from real_runner.errors import RealRunError
from topologies.documents import parse_quantity
from topologies.errors import TopologyError

BAD_INPUT = 2


def main(arguments: list[str]) -> int:
    """Run what the arguments say in a guest and return its exit status."""
    parser = argparse.ArgumentParser("python -m experiments.inside.uml")
    parser.add_argument("--memory", metavar="SIZE", help="of the guest, e.g. 4GiB")
    parser.add_argument("command", nargs="+", help="a program and its arguments, after --")
    given = parser.parse_args(arguments)
    try:
        memory_bytes = int(parse_quantity(given.memory, "size")) if given.memory else None
        return run_in_guest(given.command, memory_bytes=memory_bytes)
    except (RealRunError, TopologyError) as error:
        print(f"tessera: {error}", file=sys.stderr)
        return BAD_INPUT


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
