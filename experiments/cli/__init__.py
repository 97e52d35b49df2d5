"""The program ``tessera``: one file per command, thin over objects that scripts can use too."""

from experiments.cli.main import main

__all__ = ["main"]
