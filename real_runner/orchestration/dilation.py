"""What a dilation may be, and what cannot be dilated."""

import math
from collections.abc import Collection

from sim.errors import ScenarioError
from topologies.topology import Topology


def check_dilation(dilation: float, links: str) -> None:
    """Raise `ScenarioError` for a dilation that is none, or that these links cannot have."""
    if not 1 <= dilation < math.inf:
        raise ScenarioError(
            f"dilation {dilation:g}: give a factor of at least 1, so many times as long as in the "
            "model everything takes"
        )
    if dilation != 1 and links == "external":
        raise ScenarioError(
            f"dilation {dilation:g}: external links are as they are, and cannot be slowed; leave "
            "it out, or run with --links userspace"
        )


def refuse_native(topology: Topology, paced: Collection[str]) -> None:
    """Raise `ScenarioError` where a node that computes is not among those ``paced``."""
    for node in topology.nodes:
        if node.device is not None and node.name not in paced:
            raise ScenarioError(
                f"node {node.name!r}: pace: native, which no dilation slows down; give it 'pace: "
                "profile' or 'executor: synthetic', or leave the dilation out"
            )
