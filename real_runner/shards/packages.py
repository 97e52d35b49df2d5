"""`diffusers` and `transformers`, imported when the first model is built, and no sooner.

Both import torchvision, whose compiled operators do not load everywhere; see
`real_runner.shards.operators`. What they warn of while they are imported is not about this program.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from real_runner.errors import RealRunError
from real_runner.shards.operators import declare_missing


@cache
def class_named(package: str, name: str) -> Any:
    """Return a class of ``package``; `RealRunError` where that is not installed."""
    with unwarned():
        declare_missing()
        try:
            return getattr(import_module(package), name)
        except ImportError as error:
            raise RealRunError(
                f"package {error.name or package}: not installed ({error}); install tessera[real]"
            ) from error


@contextmanager
def unwarned() -> Iterator[None]:
    """Let other packages' warnings to their own authors pass, e.g. of what numpy will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
