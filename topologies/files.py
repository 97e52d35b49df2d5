"""Topologies as files: YAML or node-link JSON, both readable and both lossless.

JSON holds the YAML document's nodes and links under networkx's node-link keys (`id`, `edges`),
so that `networkx.node_link_graph(data, edges="edges")` and its relatives read it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from topologies.documents import DocumentError, read_document
from topologies.topology import Topology
from topologies.topology_document import plain, topology_from
from topologies.writing import write_text


def read_topology(path: Path) -> Topology:
    """Return the topology in a YAML file, or in a node-link JSON file if so named.

    Raises DocumentError: a file that cannot be read, or describes no valid topology.
    """
    data = read_document(path)
    if path.suffix == ".json":
        data = _from_node_link(data, str(path))
    return topology_from(data, str(path), path.parent)


def write_topology(topology: Topology, path: Path) -> None:
    """Write a topology, whole or not at all: node-link JSON if so named, else YAML.

    Raises DocumentError: the file cannot be written.
    """
    data = plain(topology)
    if path.suffix == ".json":
        text = json.dumps(_node_link(data), indent=1) + "\n"
    else:
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    write_text(text, path)


def _node_link(data: dict[str, Any]) -> dict[str, Any]:
    nodes = [{"id": node["name"], **node} for node in data["nodes"]]
    for node in nodes:
        del node["name"]
    graph = {key: data[key] for key in ("name", "description", "carbon") if key in data}
    return {"directed": False, "multigraph": False, "graph": graph, "nodes": nodes,
            "edges": data.get("links", [])}  # fmt: skip


def _from_node_link(data: object, place: str) -> dict[str, object]:
    if not isinstance(data, Mapping) or not isinstance(data.get("graph"), Mapping):
        raise DocumentError(f"{place}: no node-link graph; it needs the keys graph, nodes, edges")
    for key in ("directed", "multigraph"):
        if data.get(key):
            raise DocumentError(f"{place}: {key} is true; links are undirected and single")
    if unknown := set(data) - {"directed", "multigraph", "graph", "nodes", "edges"}:
        raise DocumentError(f"{place}: {min(unknown)}: unknown key; node-link JSON has none such")
    nodes = data.get("nodes", [])
    nodes = [_named(node) for node in nodes] if isinstance(nodes, list) else nodes
    return {**data["graph"], "nodes": nodes, "links": data.get("edges", [])}


def _named(node: object) -> object:
    if not isinstance(node, Mapping):
        return node
    return {("name" if key == "id" else key): value for key, value in node.items()}
