"""What was asked, and of which program: enough to ask it again."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from experiments.reports.kept import Kept
from experiments.reports.values import Facts, Section
from experiments.reports.wording import rounded, warmed_up


def section(kept: Kept, *, command: str = "") -> Section:
    """Return what a result folder's manifest says; ``command`` where it is not the manifest's."""
    pairs = (*_scenario(kept), *of_program(kept.manifest, command))
    return Section("asked", "What was asked", (), (Facts(pairs),))


def _scenario(kept: Kept) -> Iterator[tuple[str, str]]:
    document, topology = kept.document, kept.topology
    workload = document.workload
    links = kept.manifest.get("links")
    yield "scenario", str(kept.manifest["name"])
    yield "policies", ", ".join(kept.policies)
    yield "model", f"{workload.model}, {workload.precision}"
    yield "requests", f"{workload.requests:,} per replication and origin; {_arrivals(kept)}"
    yield "replications", f"{_replications(kept)}, of each the first {_warm_up(kept)} left out"
    yield "deadline", f"{rounded(document.deadline * 1e3)} ms"
    yield "topology", f"{topology.name}: {len(topology.nodes)} nodes, {len(topology.links)} links"
    yield "world", str(kept.manifest["world"]) + (f", {links} links" if links else "")
    if kept.manifest["dilation"] != 1:
        yield "dilation", f"{kept.manifest['dilation']:g}; times are divided by it"
    yield "seed", str(document.seed)


def _arrivals(kept: Kept) -> str:
    said = kept.document.workload.arrivals.model_dump(mode="json", exclude_none=True)
    others = ", ".join(f"{key} {value}" for key, value in said.items() if key != "kind")
    return f"{said['kind']} arrivals, {others}"


def _replications(kept: Kept) -> int:
    seen = pd.concat([kept.table("nodes", policy) for policy in kept.policies])
    return int(seen["replication"].max()) + 1


def _warm_up(kept: Kept) -> str:
    return warmed_up(kept.document.warm_up)


def of_program(manifest: Mapping[str, Any], command: str = "") -> Iterator[tuple[str, str]]:
    """Yield which program made something, as a manifest says; see `experiments.program`."""
    said = command or manifest.get("command", "")
    if said:
        yield "command", str(said)
    yield "at", str(manifest["created"])
    if manifest["git_revision"]:
        yield "commit", str(manifest["git_revision"])
    versions = ", ".join(f"{name} {each}" for name, each in manifest["versions"].items() if each)
    yield "versions", versions
    host = manifest["host"]
    yield "machine", f"{host['system']}, Python {host['python']}"
