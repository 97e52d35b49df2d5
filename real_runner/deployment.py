"""How the nodes of a topology are made real: the ``real`` section of a scenario."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from topologies.documents import Strict


class NodeSpec(Strict):
    """How one node is made real.

    ``executor``: ``torch`` computes with real tensors, ``synthetic`` holds the device for the
    modelled time and returns the right number of bytes. ``pace``: ``native`` runs as fast as this
    machine does, ``profile`` holds the device for the time that the node's device would take
    (a synthetic executor always does). ``threads`` bounds the arithmetic, ``cpus`` names the
    processors it may use (empty: all), ``cpu_quota`` how many processors' worth of time it gets.
    ``dtype`` is that of the arithmetic, ``device`` what does it.
    """

    executor: Literal["torch", "synthetic"] = "torch"
    pace: Literal["native", "profile"] = "native"
    threads: Annotated[int, Field(ge=1)] = 1
    cpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    cpu_quota: Annotated[float, Field(gt=0)] | None = None
    dtype: Literal["fp64", "fp32", "bf16", "fp16"] = "fp32"
    device: Literal["cpu", "cuda"] = "cpu"


class Deployment(Strict):
    """All nodes: ``default``, or what ``nodes`` says of one by name.

    ``weights`` is a checkpoint (``.pth`` of ``segment_anything``, or ``.safetensors``), relative
    to the scenario's file; without one the weights are random, drawn from ``weights_seed``.
    ``push`` sends the weights to the workers instead of letting each read the file. ``zstd``
    compresses what travels.
    """

    default: NodeSpec = NodeSpec()
    nodes: dict[str, NodeSpec] = Field(default_factory=dict)
    weights: Path | None = None
    weights_seed: int = 0
    push: bool = False
    zstd: bool = False

    def of(self, node: str) -> NodeSpec:
        """Return how ``node`` is made real."""
        return self.nodes.get(node, self.default)
