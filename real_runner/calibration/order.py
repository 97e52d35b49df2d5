"""What to measure, and what the process that measures says of it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from real_runner.deployment import NodeSpec
from sim.profiles import Measured
from topologies.documents import Strict


class Order(Strict):
    """Measure stages of ``kinds`` (none given: all) of ``model``, made real as ``spec`` says.

    ``model`` is a text of `real_runner.models`; without ``weights`` they are drawn.
    """

    model: str
    spec: NodeSpec
    kinds: tuple[str, ...] = ()
    repetitions: Annotated[int, Field(ge=1)] = 20
    weights: Path | None = None


class Report(Strict):
    """A line of what the process prints: how far it is, and at the end what it found.

    ``left_out`` are the kinds of stage that nothing computes for real yet.
    """

    done: int = 0
    of: int = 0
    device: str = ""
    torch: str = ""
    rows: tuple[Measured, ...] = ()
    left_out: tuple[str, ...] = ()
