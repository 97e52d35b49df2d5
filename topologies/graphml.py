"""GraphML, the format of the Topology Zoo and of most graph tools.

Files written here carry the keys of topology documents as attributes and are read back equal.
Files from elsewhere carry no capacities and no machines: their reader asks for both rules.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.graphs import CapacityRule, Placement, from_graph
from topologies.topology import Topology
from topologies.topology_document import plain, topology_from
from topologies.writing import write_text

if TYPE_CHECKING:
    import networkx

_NAME, _ORDER = "topology", "order"
_MAPPINGS = ("device", "serving", "schedule", "back_schedule")


def write_graphml(topology: Topology, path: Path) -> None:
    """Write a topology as GraphML, whole or not at all.

    Raises DocumentError: the file cannot be written.
    """
    import networkx  # noqa: PLC0415 - slow to import, and few need it

    data = plain(topology)
    graph: networkx.Graph[str] = networkx.Graph()
    graph.graph.update({_NAME: topology.name, "description": topology.description})
    if "carbon" in data:
        graph.graph["carbon"] = json.dumps(data["carbon"])
    for node in data["nodes"]:
        graph.add_node(node["name"], **{k: _text(v) for k, v in node.items() if k != "name"})
    for order, link in enumerate(data.get("links", ())):
        attributes = {key: _text(value) for key, value in link.items()}
        graph.add_edge(link["source"], link["target"], **attributes, **{_ORDER: order})
    write_text("\n".join(networkx.generate_graphml(graph)) + "\n", path)


def read_graphml(
    path: Path, capacity: CapacityRule | None = None, placement: Placement | None = None
) -> Topology:
    """Return the topology in a GraphML file: one written here, or any graph under both rules.

    Raises DocumentError: no GraphML, a rule missing, or no valid topology.
    """
    graph = _read(path)
    try:
        if capacity is not None and placement is not None:
            return from_graph(graph, path.stem, capacity, placement)
        if _NAME in graph.graph and capacity is None and placement is None:
            return topology_from(_document(graph), str(path))
    except DocumentError:
        raise
    except TopologyError as error:
        raise DocumentError(f"{path}: {error}") from error
    missing = "CapacityRule" if capacity is None else "Placement"
    raise DocumentError(
        f"{path}: a graph without capacities and machines; give a CapacityRule and a Placement "
        f"(no {missing} was given)"
    )


def _read(path: Path) -> "networkx.Graph[Any]":
    import networkx  # noqa: PLC0415 - slow to import, and few need it

    try:
        graph: networkx.Graph[Any] = networkx.read_graphml(path)
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from error
    except (ParseError, networkx.NetworkXError) as error:
        raise DocumentError(f"{path}: no GraphML: {error}") from error
    return graph


def _document(graph: "networkx.Graph[Any]") -> dict[str, object]:
    nodes = [
        {"name": name, **{key: _value(key, value) for key, value in data.items()}}
        for name, data in graph.nodes(data=True)
    ]
    ordered = sorted((data for _, _, data in graph.edges(data=True)), key=lambda d: d[_ORDER])
    links = [
        {key: _value(key, value) for key, value in data.items() if key != _ORDER}
        for data in ordered
    ]
    return {"name": graph.graph[_NAME], "description": graph.graph["description"],
            "nodes": nodes, "links": links,
            "carbon": json.loads(graph.graph.get("carbon", "{}"))}  # fmt: skip


def _text(value: object) -> object:
    """GraphML attributes are scalars: a whole profile or schedule becomes JSON text."""
    return json.dumps(value) if isinstance(value, Mapping) else value


def _value(key: str, value: object) -> object:
    may_be_mapping = key in _MAPPINGS and isinstance(value, str)
    is_mapping = may_be_mapping and str(value).startswith("{")
    return json.loads(str(value)) if is_mapping else value
