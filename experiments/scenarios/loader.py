"""From a scenario's name or file to a `sim.runner.Scenario`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any

from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.faults import FaultsDocument
from real_runner.deployment import Deployment
from sim.calibration import Calibrated
from sim.cost import CostModel, Roofline
from sim.errors import ScenarioError
from sim.policies.registry import policy_named
from sim.profiles import read_profile
from sim.runner import Scenario
from topologies.documents import DocumentError, parse, read_document, read_value
from topologies.errors import TopologyError, suggestion
from topologies.shipped import load as load_topology
from topologies.shipped import shipped_names as shipped_topologies
from topologies.topology import Topology
from workloads.errors import WorkloadError
from workloads.workload import Workload

_SHIPPED = Path(str(resources.files("experiments.scenarios")))


def shipped_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that ship with Tessera."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


def scenario_path(name_or_path: str) -> Path:
    """Return the file of a shipped scenario or of the user's own.

    Raises `ScenarioError` with the nearest name where there is none.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml", ".json"}:
        return path
    if name_or_path not in shipped_scenarios():
        raise ScenarioError(
            f"scenario {name_or_path!r} is unknown; {suggestion(name_or_path, shipped_scenarios())}"
            " (or give the path of a .yaml file)"
        )
    return _SHIPPED / f"{name_or_path}.yaml"


def read_scenario(path: Path, settings: Sequence[str] = ()) -> ScenarioDocument:
    """Return the document in ``path``, changed by ``settings`` of the form ``key.key=value``.

    Raises `topologies.errors.TopologyError` for a file that cannot be read or does not fit, and
    `ScenarioError` for a setting that is none.
    """
    data = read_document(path)
    if not isinstance(data, dict):
        raise ScenarioError(f"{path}: holds no mapping; see 'tessera list scenarios' for examples")
    for setting in settings:
        _apply(data, setting)
    return parse(ScenarioDocument, data, path.name + (" with --set" if settings else ""))


def build(document: ScenarioDocument, path: Path, policy: str | None = None) -> Scenario:
    """Return the scenario that ``document``, found in ``path``, describes.

    ``policy`` takes the place of the document's own where it is given. Raises `ScenarioError`,
    naming the file, for a topology or a workload that cannot be had, and `sim.errors.PolicyError`.
    """
    topology, workload = _world(document, path)
    found = assembled(document, path.stem, topology, workload, policy)
    return replace(
        found,
        cost=_cost(document.cost, topology, path),
        faults=_faults(document.faults, path.parent).build(topology),
    )


def assembled(
    document: ScenarioDocument,
    name: str,
    topology: Topology,
    workload: Workload,
    policy: str | None = None,
) -> Scenario:
    """Return the scenario of a document in a world that is there, without faults or measurements.

    ``policy`` is as in `build`, which adds both; raises `sim.errors.PolicyError`.
    """
    policy_name = document.policy if policy is None else policy
    return Scenario(
        name=name,
        topology=topology,
        workload=workload,
        policy=policy_named(policy_name),
        policy_name=policy_name,
        origins=document.origins or _default_origins(topology),
        deadline_s=document.deadline,
        seed=document.seed,
        replications=document.replications,
        warm_up=document.warm_up,
        view_age_s=document.view_age,
        patience_s=inf if document.patience is None else document.patience,
    )


def deployment(document: ScenarioDocument, path: Path, topology: Topology) -> Deployment:
    """Return how the nodes of ``topology`` are made real, as ``document``, found in ``path``, says.

    Paths in it are relative no more. Raises `ScenarioError` for a node that is not there.
    """
    names = [node.name for node in topology.nodes]
    _check_known(document.real.nodes, names, f"{path.name}: real.nodes", "node")
    weights = document.real.weights
    found = None if weights is None else path.parent / weights
    return document.real.model_copy(update={"weights": found})


def load(name_or_path: str, settings: Sequence[str] = (), policy: str | None = None) -> Scenario:
    """Return the scenario of that name or file, changed by ``settings``, under ``policy``.

    >>> load("jetson-16-clouds", ["workload.requests=100", "warm_up=0"]).workload.requests
    100
    """
    path = scenario_path(name_or_path)
    return build(read_scenario(path, settings), path, policy)


def _apply(data: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ScenarioError(f"--set {setting!r}: write it as key=value, e.g. workload.requests=100")
    *outer, last = key.split(".")
    for word in outer:
        data = data.setdefault(word, {})
        if not isinstance(data, dict):
            raise ScenarioError(f"--set {setting!r}: {word!r} holds a value, not further keys")
    try:
        data[last] = read_value(text)
    except DocumentError:
        raise ScenarioError(f"--set {setting!r}: {text!r} is no value; quote it") from None


def _world(document: ScenarioDocument, path: Path) -> tuple[Topology, Workload]:
    try:
        return _topology(document.topology, path.parent), document.workload.build(path.parent)
    except (TopologyError, WorkloadError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error


def _topology(name: str, folder: Path) -> Topology:
    """Return the shipped topology of that name, or the one in a file beside the scenario's."""
    words = Path(name)
    if name in shipped_topologies() or not (words.suffix or len(words.parts) > 1):
        return load_topology(name)
    return load_topology(folder / name)


def _faults(faults: FaultsDocument | str, folder: Path) -> FaultsDocument:
    """Return the faults as given, or those in a file beside the scenario's."""
    if isinstance(faults, FaultsDocument):
        return faults
    path = folder / faults
    return parse(FaultsDocument, read_document(path), path.name)


def _cost(files: Mapping[str, Path], topology: Topology, path: Path) -> CostModel:
    """Return what stages cost: as measured where there is a file, else by the roofline."""
    if not files:
        return Roofline()
    devices = sorted({node.device.name for node in topology.nodes if node.device})
    _check_known(files, devices, f"{path.name}: cost", "device")
    places = {device: path.parent / file for device, file in files.items()}
    profiles = {device: read_profile(place) for device, place in places.items()}
    return Calibrated(profiles, places={device: str(place) for device, place in places.items()})


def _check_known(names: Iterable[str], known: Iterable[str], place: str, what: str) -> None:
    there = list(known)
    for name in names:
        if name not in there:
            raise ScenarioError(
                f"{place}: the topology has no {what} {name!r}; {suggestion(name, there)}"
            )


def _default_origins(topology: Topology) -> tuple[str, ...]:
    """Return who asks where nobody is named: every sensor, or every edge where there is none."""
    sensors = tuple(node.name for node in topology.nodes if node.role == "sensor")
    return sensors or tuple(node.name for node in topology.nodes if node.role == "edge")
