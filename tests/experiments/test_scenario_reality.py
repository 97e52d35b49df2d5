"""Scenario files that name measured costs and say how nodes are made real."""

import json
from pathlib import Path

import pytest

from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.loader import deployment, load, read_scenario
from real_runner.deployment import Deployment
from sim.calibration import Calibrated
from sim.cost import Roofline
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.plan import Compute
from sim.profiles import Measured, Profile, write_profile
from sim.trace import Record
from tests.experiments.conftest import ScenarioFile
from topologies.documents import DocumentError
from workloads.catalogue import model_named
from workloads.images import Image

SAM = model_named("sam-vit-b", image=Image(1280, 720, "jpeg"))
COST = "cost: {jetson-orin-nano-8gb: measured/nano.yaml}\ndeadline"


@pytest.fixture
def measured(tmp_path: Path) -> Profile:
    """Return a profile, written beside the scenario: every stage of the chain takes 5 ms."""
    stages = (SAM.prepare, *(link.stage for link in SAM.chain))
    rows = {row.key: row for row in (Measured.of(stage, [0.005]) for stage in stages)}
    profile = Profile(
        device="jetson", host="arm", threads=1, dtype="fp16", precision="fp16", torch="2",
        date="2026-11-21", source="made up", rows=tuple(rows.values()),
    )  # fmt: skip
    (tmp_path / "measured").mkdir()
    write_profile(profile, tmp_path / "measured" / "nano.yaml")
    return profile


def test_measured_costs_are_what_the_simulator_uses(
    scenario_file: ScenarioFile, measured: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    scenario = load(str(scenario_file("deadline", COST)), ["workload.requests=3", "warm_up=0"])
    assert scenario.cost == Calibrated({"jetson-orin-nano-8gb": measured})
    trace = Simulator().run(scenario)
    taken_s = sorted(r.end_s - r.start_s for r in trace.records if _computes(r))
    expected_s = [0.005] * 3 + [0.005 * len(SAM.chain)] * 3
    assert taken_s == pytest.approx(expected_s)


def _computes(record: Record) -> bool:
    return isinstance(record.plan.steps[record.step], Compute)


def test_without_measurements_the_roofline_prices(scenario_file: ScenarioFile) -> None:
    assert load(str(scenario_file())).cost == Roofline()


def test_a_device_that_no_node_has_is_an_error(
    scenario_file: ScenarioFile, measured: Profile
) -> None:
    path = scenario_file("deadline", "cost: {jetson-orin-nano: measured/nano.yaml}\ndeadline")
    with pytest.raises(
        ScenarioError, match=r"mine\.yaml: cost: .*no device 'jetson-orin-nano'; did you mean"
    ):
        load(str(path))
    del measured


def test_a_profile_that_is_not_there_is_named(scenario_file: ScenarioFile) -> None:
    with pytest.raises(DocumentError, match=r"nano\.yaml: cannot be read"):
        load(str(scenario_file("deadline", COST)))


def test_a_kind_that_was_not_measured_ends_the_run_with_its_name(
    scenario_file: ScenarioFile, measured: Profile
) -> None:
    scenario = load(str(scenario_file("deadline", COST)), policy="sharded/deferred")
    with pytest.raises(ScenarioError, match=r"measured/nano\.yaml has no .*'sam\.partition'"):
        Simulator().run(scenario)
    del measured


REAL = """\
real:
  weights: weights/small.pth
  default: {threads: 2}
  nodes: {orin-nano: {executor: synthetic, cpu_quota: 1.5}}
deadline"""


def test_how_nodes_are_made_real_is_handed_out_with_paths_resolved(
    scenario_file: ScenarioFile, tmp_path: Path
) -> None:
    path = scenario_file("deadline", REAL)
    document = read_scenario(path)
    real = deployment(document, path, load(str(path)).topology)
    assert real.weights == tmp_path / "weights" / "small.pth"
    assert real.of("orin-nano").cpu_quota == 1.5
    assert real.of("aws-t4").threads == 2
    assert document.real.weights == Path("weights/small.pth")


def test_a_scenario_that_says_nothing_is_made_real_by_default(scenario_file: ScenarioFile) -> None:
    path = scenario_file()
    assert deployment(read_scenario(path), path, load(str(path)).topology) == Deployment()


def test_a_node_made_real_must_be_there(scenario_file: ScenarioFile) -> None:
    path = scenario_file("deadline", REAL.replace("orin-nano", "orin"))
    with pytest.raises(ScenarioError, match=r"real\.nodes: .*no node 'orin'; did you mean 'orin-"):
        deployment(read_scenario(path), path, load(str(path)).topology)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("threads: 2", "threads: 0", r"real\.default\.threads: got 0"),
        ("synthetic", "sythetic", r"real\.nodes\.orin-nano\.executor: got 'sythetic'"),
        ("weights:", "wieghts:", r"real\.wieghts: unknown key; did you mean 'weights"),
    ],
)
def test_a_mistake_is_named_by_its_place(
    scenario_file: ScenarioFile, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(DocumentError, match=complaint):
        read_scenario(scenario_file("deadline", REAL.replace(old, new)))


def test_it_survives_the_manifest(scenario_file: ScenarioFile, tmp_path: Path) -> None:
    document = read_scenario(scenario_file("deadline", f"{REAL.removesuffix('deadline')}{COST}"))
    path = tmp_path / "again.json"
    path.write_text(json.dumps(document.model_dump(mode="json")), encoding="utf-8")
    assert read_scenario(path) == document
    assert ScenarioDocument.model_validate(document.model_dump()) == document
