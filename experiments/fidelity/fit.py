"""From training runs to a calibrated world: what machines and links were seen to be.

Nodes that are alike, of one device, one role and made real in one way, share a profile. Their
device in the fitted topology bears a name of its own where others of its kind were measured
apart. A fitted world is frozen into files and read back before anything is predicted with it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pandas as pd

from experiments.fidelity.guesses import fitted_acceptance
from experiments.fidelity.links import FittedLinks, fit_links
from experiments.fidelity.services import Services, Stages, services_s
from experiments.fidelity.stages import measured_stages
from real_runner.calibration.host import processor, torch_version
from real_runner.deployment import Deployment, NodeSpec
from sim.calibration import Calibrated
from sim.cost import CostModel
from sim.errors import ScenarioError
from sim.plan import Transfer
from sim.profiles import Profile, read_profile, write_profile
from sim.runner import AUTO, Scenario
from sim.tables import Tables
from sim.trace import Trace
from topologies.device import Device
from topologies.files import read_topology, write_topology
from topologies.topology import Node, Topology
from workloads.llama.acceptance import Independent
from workloads.stage import Stage


@dataclass(frozen=True)
class FittedWorld:
    """A topology with links as measured, and a profile per device that computed in training.

    ``acceptance`` is how often guessed tokens held, where any were checked.
    """

    links: FittedLinks
    profiles: Mapping[str, Profile]
    acceptance: Independent | None = None

    @property
    def topology(self) -> Topology:
        """The topology, devices named as in ``profiles``."""
        return self.links.topology


@dataclass(frozen=True, slots=True)
class Untrained:
    """The cost model of devices that computed nothing in training: it has no answer."""

    def seconds(self, stage: Stage, device: Device) -> float:
        """Raise `ScenarioError`."""
        raise ScenarioError(
            f"device {device.name!r} is to run {stage.kind!r}, but computed nothing in training; "
            "train with a policy that uses it"
        )


def fit_world(
    scenario: Scenario, deployment: Deployment, traces: Mapping[str, Sequence[Trace]]
) -> FittedWorld:
    """Return the world in which the training ``traces``, by policy, come out as measured."""
    every = [trace for each in traces.values() for trace in each]
    names = device_names(scenario.topology, deployment)
    first = counted_from(scenario)
    observed = _pooled(services_s(every, first), names)
    profiles = {}
    for node in scenario.topology.nodes:
        name = names.get(node.name, "")
        if name in observed and name not in profiles and node.device is not None:
            rows = measured_stages(observed[name], scenario.cost, node.device)
            spec = deployment.of(node.name)
            profiles[name] = Profile(
                device=name,
                host=processor(),
                threads=spec.threads,
                dtype=spec.dtype,
                precision=next(iter(observed[name]))[0].precision,
                torch=torch_version(),
                date=datetime.now(UTC).date().isoformat(),
                source=f"steps of {scenario.name} under {', '.join(traces)}",
                rows=rows,
            )
    links = fit_links(renamed(scenario.topology, names), transfers(every, first))
    return FittedWorld(links, profiles, fitted_acceptance(every))


def freeze(world: FittedWorld, folder: Path) -> None:
    """Write ``topology.yaml`` and a profile per device into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_topology(world.topology, folder / TOPOLOGY)
    for place, profile in zip(
        _places(world, folder).values(), world.profiles.values(), strict=True
    ):
        write_profile(profile, place)


def thaw(world: FittedWorld, folder: Path) -> tuple[Topology, CostModel]:
    """Return what `freeze` wrote, as files have it: the topology, and what stages cost in it."""
    places = _places(world, folder)
    profiles = {name: read_profile(place) for name, place in places.items()}
    cost = Calibrated(profiles, Untrained(), {name: str(place) for name, place in places.items()})
    return read_topology(folder / TOPOLOGY), cost


TOPOLOGY: Final = "topology.yaml"


def _places(world: FittedWorld, folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name.replace('/', '-')}.yaml" for name in world.profiles}


def transfers(traces: Sequence[Trace], first: int = 0) -> pd.DataFrame:
    """Return the steps of runs that did not happen side by side, told apart by ``run``.

    ``coded`` are transfers that a codec wrote. Requests before ``first`` are left out.
    """
    coded = {
        step.payload.tensor
        for trace in traces
        for plan in trace.plans
        for step in plan.steps
        if isinstance(step, Transfer) and step.payload.elements
    }
    tables = [Tables(trace).steps().assign(run=run) for run, trace in enumerate(traces)]
    steps = pd.concat(tables, ignore_index=True)
    steps = steps.assign(coded=(steps["kind"] == "transfer") & steps["stage"].isin(coded))
    return steps[steps["request"] >= first].reset_index(drop=True)


def counted_from(scenario: Scenario) -> int:
    """Return the first request of a replication that counts; all do where it is left open."""
    return 0 if scenario.warm_up == AUTO else scenario.warm_up


def device_names(topology: Topology, deployment: Deployment) -> dict[str, str]:
    """Return for each node that computes the name under which its device is measured.

    That is the device's own, with the node's appended where others of it differ in role or in how
    they are made real; the first such node stands for all that are like it.
    """
    alike: dict[tuple[str, str, NodeSpec], str] = {}
    plain: dict[str, set[tuple[str, str, NodeSpec]]] = defaultdict(set)
    groups = {}
    for node in topology.nodes:
        if node.device is not None:
            group = (node.device.name, node.role, deployment.of(node.name))
            groups[node.name] = group
            alike.setdefault(group, node.name)
            plain[node.device.name].add(group)
    return {
        node: group[0] if len(plain[group[0]]) == 1 else f"{group[0]}/{alike[group]}"
        for node, group in groups.items()
    }


def renamed(topology: Topology, names: Mapping[str, str]) -> Topology:
    """Return the topology with devices named by node."""
    return replace(topology, nodes=tuple(_renamed(node, names) for node in topology.nodes))


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if node.device is None or node.device.name == names[node.name]:
        return node
    return replace(node, device=replace(node.device, name=names[node.name]))


def _pooled(services: Services, names: Mapping[str, str]) -> dict[str, dict[Stages, list[float]]]:
    """Return service times by the name of the device, whichever node it was."""
    pooled: dict[str, dict[Stages, list[float]]] = defaultdict(lambda: defaultdict(list))
    for node, by_stages in services.items():
        for stages, seconds in by_stages.items():
            pooled[names[node]][stages].extend(seconds)
    return pooled
