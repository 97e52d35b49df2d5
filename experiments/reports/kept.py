"""Result folders read back: the same campaigns that were printed when they were run.

Nothing is worked out a second way. What a replication left is summed up by the very code that did
so while it ran (`experiments.campaign`), whether its tables come from a runner or from a file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments.breakdown import breakdown
from experiments.campaign import Campaign, Gathered, Replicated, Replicating
from experiments.results import TOPOLOGY
from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.loader import assembled
from experiments.statistics.estimates import FloatArray
from sim.columns import columns_of
from sim.errors import ScenarioError
from sim.runner import Scenario
from sim.trace import Trace
from topologies.documents import parse
from topologies.files import read_topology
from topologies.topology import Topology

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Run:
    """One policy in one world, and what came of it.

    ``label`` tells it from the others of a report, ``number`` is its policy's place among them.
    ``spent`` is where the time of each request that counts went, a column per kind of step (see
    `experiments.breakdown`).
    """

    label: str
    number: int
    campaign: Campaign
    spent: pd.DataFrame
    kept: "Kept"

    @property
    def policy(self) -> str:
        """The policy as it was written."""
        return self.campaign.scenario.policy_name

    @property
    def latencies_s(self) -> FloatArray:
        """The latencies of all requests that count, in order; failed ones' are infinite."""
        return np.sort(np.concatenate([np.asarray(each) for each in self.campaign.latencies_s]))


@dataclass(frozen=True)
class Kept:
    """A result folder, as `experiments.results` wrote it.

    Raises `ScenarioError`, which names the file, where the folder is none or lacks something.
    """

    folder: Path

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What the folder says of itself."""
        found = read_json(self.folder / MANIFEST)
        if not isinstance(found, dict) or not {"scenario", "policies", "name"} <= found.keys():
            raise ScenarioError(f"{self.folder / MANIFEST}: is no manifest of a result folder")
        return found

    @cached_property
    def document(self) -> ScenarioDocument:
        """The scenario as it was written."""
        place = str(self.folder / MANIFEST)
        return parse(ScenarioDocument, self.manifest["scenario"], place)

    @cached_property
    def topology(self) -> Topology:
        """The world that it ran in."""
        path = self.folder / TOPOLOGY
        if not path.exists():
            raise ScenarioError(f"{path}: is not there; run what wrote the folder again")
        return read_topology(path)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that ran, in the order in which they were given."""
        return tuple(self.manifest["policies"])

    def table(self, name: str, policy: str, replication: int | None = None) -> pd.DataFrame:
        """Return a table's rows of one policy, or of one of its replications."""
        path = self.folder / f"{name}.parquet"
        wanted: list[tuple[str, str, object]] = [("policy", "==", policy)]
        if replication is not None:
            wanted.append(("replication", "==", replication))
        try:
            return pd.read_parquet(path, filters=wanted)
        except (OSError, pa.ArrowException) as error:
            raise ScenarioError(
                f"{path}: cannot be read ({error}); run the command that wrote it again"
            ) from error

    def scenario(self, policy: str) -> Scenario:
        """Return what was run.

        Files that it names, such as arrivals to replay, are looked for from where the program runs.
        """
        workload = self.document.workload.build(Path())
        return assembled(self.document, self.manifest["name"], self.topology, workload, policy)

    def runs(self, world: str = "") -> list[Run]:
        """Return a run for each policy, called by its name, and its ``world`` where one is told."""
        suffix = f" ({world})" if world else ""
        return [
            self._run(policy, f"{policy}{suffix}", number)
            for number, policy in enumerate(self.policies)
        ]

    def _run(self, policy: str, label: str, number: int) -> Run:
        scenario = self.scenario(policy)
        gathered, spent = Gathered(scenario), []
        for replication in range(_count(self.table("nodes", policy))):
            replicated, pieces = self._replicated(scenario, replication)
            gathered.add(replicated)
            spent.append(pieces)
        if not spent:
            raise ScenarioError(f"{self.folder}: holds no replication under {policy}")
        campaign = gathered.campaign()
        counted = [pieces[pieces.index >= campaign.warm_up.requests] for pieces in spent]
        together = pd.concat(counted, ignore_index=True).fillna(0.0)
        return Run(label, number, campaign, together, self)

    def _replicated(self, scenario: Scenario, replication: int) -> tuple[Replicated, pd.DataFrame]:
        """Return a replication as it was summed up when it ran, and where its time went."""
        policy = scenario.policy_name
        requests, steps, exposure, holdings, nodes, links = (
            self.table(name, policy, replication)
            for name in ("requests", "steps", "exposure", "holdings", "nodes", "links")
        )
        replicating = Replicating(scenario)
        replicating.add(*map(columns_of, (requests, steps, exposure, holdings)))
        trace = _books(scenario.topology, nodes, links)
        return replicating.finished(trace), breakdown(steps, scenario.topology)


def _count(nodes: pd.DataFrame) -> int:
    return int(nodes["replication"].max()) + 1 if len(nodes) else 0


def _books(topology: Topology, nodes: pd.DataFrame, links: pd.DataFrame) -> Trace:
    """Return a trace that knows nothing but the books of a run: what was busy, carried, and when.

    A node's slots are busy or idle for as long as the run lasts and the node is on, which tells
    how long the run lasted.
    """
    trace = Trace(str(nodes["world"].iloc[0]), topology)
    computing = nodes[nodes["slots"] > 0]
    lasted_s = (computing["busy_s"] + computing["idle_s"]) / computing["slots"]
    trace.end_s = float((lasted_s + computing["off_s"]).max())
    trace.busy_s = dict(zip(computing["node"], computing["busy_s"], strict=True))
    carried = dict(zip(links["channel"], links["bytes"], strict=True))
    trace.carried_bytes = tuple(carried[channel.name] for channel in topology.channels)
    return trace


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; `ScenarioError`, which names it, where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}; name a result folder") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: no JSON: {error}; name a result folder") from error
