"""The program ``tessera``: one file per command, thin over objects that scripts can use too."""

import signal
import sys


def main() -> None:
    """Run the program; whoever interrupts it before it has begun reads one line, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from experiments.cli.main import main as begin  # noqa: PLC0415 - it takes a while
    except KeyboardInterrupt:
        print("tessera: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
    begin()
