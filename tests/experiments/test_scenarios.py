"""Scenario files: those that ship, their schema, and what is read from where."""

import json
import os
import re
from math import inf
from pathlib import Path

import pytest

from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.loader import (
    build,
    load,
    read_scenario,
    scenario_path,
    shipped_scenarios,
)
from experiments.scenarios.schema import SCHEMA, json_schema, main
from sim.engine.simulator import Simulator
from sim.errors import PolicyError, ScenarioError
from sim.policies.chain import Local, Offload
from tests.conftest import small_topology
from tests.experiments.conftest import SCENARIO, ScenarioFile
from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.files import write_topology
from workloads.arrivals import Bursts, Camera, Closed, Poisson
from workloads.replay import Replay


@pytest.mark.parametrize("name", shipped_scenarios())
def test_a_shipped_scenario_has_the_topology_of_its_name_or_the_small_one_and_runs(
    name: str,
) -> None:
    document = read_scenario(scenario_path(name))
    assert document.description
    shared = "small-sam" if name in {"small-llama", "small-sdxl"} else name
    assert load(name).topology.name == shared
    trace = Simulator().run(load(name, ["workload.requests=5", "warm_up=0"]))
    assert len(trace.outcomes) == 5


def test_jetson_with_sixteen_clouds_is_among_the_shipped() -> None:
    assert "jetson-16-clouds" in shipped_scenarios()
    assert list(shipped_scenarios()) == sorted(shipped_scenarios())


def test_the_published_schema_is_that_of_the_models() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == ScenarioDocument.model_json_schema() == json_schema(), (
        "write it anew: python -m experiments.scenarios.schema"
    )


def test_writing_the_schema_anew_changes_nothing() -> None:
    before = SCHEMA.read_bytes()
    try:
        main()
        assert SCHEMA.read_bytes() == before
    finally:
        SCHEMA.write_bytes(before)


def test_the_schema_wants_units_where_the_reader_does() -> None:
    duration = json_schema()["properties"]["deadline"]
    assert duration["type"] == "string"
    assert re.search(duration["pattern"], "320ms")
    assert not re.search(duration["pattern"], "320")
    assert json_schema()["additionalProperties"] is False


def test_a_topology_is_found_beside_the_scenario_and_nowhere_else(
    scenario_file: ScenarioFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scenario_file("orin-nano-4-clouds", "world.yaml")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    write_topology(small_topology(), elsewhere / "world.yaml")
    with pytest.raises(ScenarioError, match=r"mine\.yaml: .*world\.yaml: cannot be read"):
        load(str(path))
    write_topology(small_topology(), tmp_path / "world.yaml")
    assert load(str(path)).topology == small_topology()
    assert load(os.path.relpath(path)).topology == small_topology()


def test_a_topology_may_lie_in_another_folder_or_have_an_absolute_path(
    scenario_file: ScenarioFile, tmp_path: Path
) -> None:
    (tmp_path / "worlds").mkdir()
    write_topology(small_topology(), tmp_path / "worlds" / "small.json")
    for name in ("worlds/small.json", str(tmp_path / "worlds" / "small.json")):
        path = scenario_file("orin-nano-4-clouds", name)
        assert load(str(path)).topology == small_topology()


def test_replayed_arrivals_are_found_beside_the_scenario(
    scenario_file: ScenarioFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "times.txt").write_text("".join(f"{second}\n" for second in range(20)))
    monkeypatch.chdir("/")
    path = scenario_file("kind: poisson, rate_per_s: 0.5", "kind: replay, path: times.txt")
    scenario = load(str(path))
    assert isinstance(scenario.workload.arrivals, Replay)
    assert [request.arrival_s for request in scenario.requests(0)] == list(range(12))


@pytest.mark.parametrize(
    ("text", "arrivals"),
    [
        ("{kind: camera, rate_per_s: 5, jitter: 2ms}", Camera(5.0, 0.002)),
        ("{kind: poisson, rate_per_s: 3}", Poisson(3.0)),
        (
            "{kind: bursts, low_per_s: 0, high_per_s: 4, mean_low: 10s, mean_high: 500ms}",
            Bursts(0.0, 4.0, 10.0, 0.5),
        ),
        ("{kind: closed, clients: 2, think: 100ms}", Closed(2, 0.1)),
    ],
)
def test_each_kind_of_arrivals_is_what_it_says(
    scenario_file: ScenarioFile, text: str, arrivals: object
) -> None:
    scenario = load(str(scenario_file()), [f"workload.arrivals={text}"])
    assert scenario.workload.arrivals == arrivals


def test_a_scenario_is_what_its_file_says(scenario_file: ScenarioFile) -> None:
    scenario = load(str(scenario_file()))
    assert scenario.name == "mine"
    assert scenario.topology.name == "orin-nano-4-clouds"
    assert scenario.workload.model.name == "sam-vit-b"
    assert scenario.workload.requests == 12
    assert scenario.policy == Local()
    assert scenario.policy_name == "local"
    assert scenario.deadline_s == pytest.approx(0.9)
    assert (scenario.seed, scenario.replications, scenario.warm_up) == (7, 2, 2)
    assert scenario.view_age_s == 0.0
    assert scenario.patience_s == inf


def test_patience_is_a_duration(scenario_file: ScenarioFile) -> None:
    assert load(str(scenario_file()), ["patience=10s"]).patience_s == 10.0
    with pytest.raises(DocumentError, match="patience: 10 has no unit"):
        load(str(scenario_file()), ["patience=10"])


def test_a_scenario_may_be_json(scenario_file: ScenarioFile, tmp_path: Path) -> None:
    document = read_scenario(scenario_file())
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document.model_dump(mode="json")))
    assert read_scenario(path) == document


def test_settings_change_values_at_any_depth(scenario_file: ScenarioFile) -> None:
    settings = [
        "seed=8",
        "deadline=1.5s",
        "workload.requests=30",
        "workload.arrivals.rate_per_s=2.5",
        "workload.image.encoding=png",
        "view_age=30ms",
    ]
    scenario = load(str(scenario_file()), settings)
    assert scenario.seed == 8
    assert scenario.deadline_s == 1.5
    assert scenario.workload.requests == 30
    assert scenario.workload.arrivals == Poisson(2.5)
    assert scenario.view_age_s == pytest.approx(0.03)
    model = load(str(scenario_file()), ["workload.image={width_px: 64, height_px: 32}"])
    assert model.workload.model.captured.fixed_bytes < 64 * 32


def test_of_two_settings_of_one_key_the_last_counts(scenario_file: ScenarioFile) -> None:
    assert load(str(scenario_file()), ["seed=1", "seed=2"]).seed == 2


def test_settings_leave_the_file_as_it_was(scenario_file: ScenarioFile) -> None:
    path = scenario_file()
    read_scenario(path, ["seed=8"])
    assert path.read_text(encoding="utf-8") == SCENARIO


def test_a_policy_given_takes_the_place_of_the_files(scenario_file: ScenarioFile) -> None:
    path = scenario_file()
    scenario = load(str(path), policy="offload")
    assert scenario.policy == Offload()
    assert scenario.policy_name == "offload"
    with pytest.raises(PolicyError, match="'' is unknown"):
        build(read_scenario(path), path, "")


def test_input_comes_from_all_sensors_else_from_all_edges(scenario_file: ScenarioFile) -> None:
    path = str(scenario_file())
    worn = load(path, ["topology=wearable-jetson-16-clouds"])
    roles = {worn.topology.node(origin).role for origin in worn.origins}
    assert roles == {"sensor"}
    edges = load(path, ["topology=metro-200"])
    trusted = [node.name for node in edges.topology.nodes if node.role == "edge"]
    assert list(edges.origins) == trusted
    named = load(path, ["topology=metro-200", f"origins=[{trusted[3]}]"])
    assert named.origins == (trusted[3],)


def test_a_path_is_told_from_a_name_by_its_suffix(tmp_path: Path) -> None:
    assert scenario_path("jetson-16-clouds").name == "jetson-16-clouds.yaml"
    assert scenario_path("jetson-16-clouds").is_file()
    for name in ("a.yaml", "b/c.yml", "d.json"):
        assert scenario_path(name) == Path(name)
    with pytest.raises(TopologyError, match="cannot be read"):
        read_scenario(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="did you mean 'jetson-16-clouds'"):
        scenario_path("jetson16-clouds")
