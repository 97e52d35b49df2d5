"""Topology files: nodes, links, devices, and the builders that write them."""

from reference.prose import told
from reference.schemas import sections
from topologies.builders import BUILDERS
from topologies.topology_document import TopologyDocument

_OPENING = """# Topology files

YAML, or JSON in a file so named. Quantities carry their unit (`300Mbit/s`, `3ms`, `24GB`),
delays are one way. `back_` keys say what differs on the way back. Instead of `nodes` and
`links` a file may name a `builder` and its `parameters`.
"""


def page() -> str:
    """Return the page."""
    builders = "\n\n".join(
        f"### {name}\n\n{told(build.__doc__)}" for name, build in BUILDERS.items()
    )
    document = sections(TopologyDocument.model_json_schema(), "Topology")
    python = "Their parameters are in [Python, topologies](python/topologies.md)."
    return f"{_OPENING}\n{document}\n## Builders\n\n{python}\n\n{builders}\n"
