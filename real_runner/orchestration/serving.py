"""Which ways of serving real workers know: in order of arrival, batches, a bound on caches."""

from dataclasses import replace

from sim.errors import ScenarioError
from topologies.nodes import Node
from topologies.serving import IN_ORDER, MemoryLimit


def refuse_what_no_worker_does(node: Node) -> None:
    """Raise `ScenarioError` for a node that is to serve in a way that only the simulator knows."""
    serving = node.serving
    caches = MemoryLimit(caches_bytes=serving.memory.caches_bytes if serving.memory else None)
    if (
        serving.memory not in (None, caches)
        or replace(serving, batch=None, memory=None) != IN_ORDER
    ):
        raise ScenarioError(
            f"node {node.name!r}: serving: real workers serve in order of arrival, in batches, and "
            "bound what texts leave (memory.caches), but nothing else; leave it out, or simulate it"
        )
