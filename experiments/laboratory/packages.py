"""Metrics of `torchmetrics`, which imports what this machine may not have, and slowly."""

from importlib import import_module
from typing import Any

from real_runner.errors import RealRunError
from real_runner.shards.operators import declare_missing


def metric(module: str, name: str) -> Any:
    """Return a function of a module of ``torchmetrics.functional``.

    Raises `RealRunError` where torchmetrics is not installed.
    """
    declare_missing()  # of torchvision, which torchmetrics imports
    try:
        return getattr(import_module(f"torchmetrics.functional.{module}"), name)
    except ImportError as error:
        raise RealRunError(
            f"package {error.name or 'torchmetrics'!r} is not installed; pip install 'tessera[lab]'"
        ) from error
