"""Which topologies Mininet can be: trees whose leaves are hosts, and whose inner nodes are routers.

Its routers are bridges, which know no routes: where there are several ways, frames would circle;
and a host is no bridge, so none can be on the way to another. Devices have short names.
"""

from collections import Counter
from typing import Final

from sim.errors import ScenarioError
from topologies.topology import Topology

LONGEST_NAME: Final = 9
"""Of a bridge: its devices are called by it and ``-ethN``, in 15 characters."""
_ALLOWED: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def refuse_what_mininet_cannot(topology: Topology) -> None:
    """Raise `ScenarioError` for a topology that Mininet cannot be, naming node or link."""
    degrees = Counter(end for link in topology.links for end in (link.source, link.target))
    for node in topology.nodes:
        if node.role != "router" and degrees[node.name] > 1:
            raise _cannot(
                f"node {node.name!r}: {degrees[node.name]} links: a Mininet host is on the way to "
                "nobody; put a router between it and the others"
            )
        if node.role == "router" and not _is_device_name(node.name):
            raise _cannot(
                f"node {node.name!r}: a Mininet bridge is named by at most {LONGEST_NAME} letters, "
                "digits, - and _; rename it"
            )
    for name in _closing_links(topology):
        raise _cannot(
            f"link {name}: closes a circle, in which bridges send frames round; remove it"
        )


def _cannot(reason: str) -> ScenarioError:
    return ScenarioError(f"{reason}, or run with --links userspace")


def _is_device_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and _ALLOWED.issuperset(name)


def _closing_links(topology: Topology) -> list[str]:
    """Return the links whose ends are connected without them, by links before them."""
    group = {node.name: node.name for node in topology.nodes}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    closing = []
    for link in topology.links:
        source, target = root(link.source), root(link.target)
        if source == target:
            closing.append(link.name)
        group[source] = target
    return closing
