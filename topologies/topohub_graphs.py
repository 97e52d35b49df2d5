"""Real-world graphs from the package `topohub`: Topology Zoo, SNDlib, CAIDA backbones, Gabriel.

Their edges carry `dist`, the length in kilometres. They carry no capacity and no machines.
"""

import warnings

from topologies.errors import TopologyError
from topologies.graphs import CapacityRule, Placement, from_graph
from topologies.topology import Topology


def fibre_links(rate_bits_per_s: float) -> CapacityRule:
    """Return the rule for topohub graphs: this rate on every link, delay by kilometres."""
    return CapacityRule(
        rate_bits_per_s=rate_bits_per_s, distance_attribute="dist", metres_per_unit=1000.0
    )


def topohub_topology(key: str, capacity: CapacityRule, placement: Placement) -> Topology:
    """Return a topohub graph ('sndlib/germany50', 'topozoo/Abilene') under both rules.

    Nodes are named by number unless the placement names an attribute, as a rule `name`.

    Raises TopologyError: no such graph, or rules that do not fit it.
    """
    import networkx  # noqa: PLC0415 - slow to import, and few need it
    import topohub  # noqa: PLC0415 - as above

    try:
        with warnings.catch_warnings():  # topohub 1.5 leaves closing its file to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            data = topohub.get(key)
    except (KeyError, OSError, ValueError) as error:
        remedy = "use a key like 'sndlib/germany50' or 'topozoo/Abilene' from topohub's list"
        raise TopologyError(f"unknown topohub graph {key!r}; {remedy}") from error
    return from_graph(networkx.node_link_graph(data, edges="edges"), key, capacity, placement)
