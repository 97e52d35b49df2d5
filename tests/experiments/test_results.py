"""Result folders: whole or not at all, and in the schema that was promised."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.results import ResultFolder
from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.loader import read_scenario
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.faults import Fault, FaultPlan
from sim.ledger import INCIDENT_COLUMNS, LINK_COLUMNS, NODE_COLUMNS, TOTALS, Ledger
from sim.plan import Compute, Plan, Transfer
from sim.tables import EXPOSURE_COLUMNS, REQUEST_COLUMNS, STEP_COLUMNS, Tables
from sim.trace import Sink, Trace
from tests.conftest import MakeScenario, Scripted
from tests.experiments.conftest import ScenarioFile
from topologies.documents import parse
from workloads.stage import Payload, Stage

STAGE = Stage("work", 1e12, 0.0)
SEEN = Plan(
    (
        Transfer("edge", "a", Payload("pixels", (0,), fixed_bytes=1e3)),
        Compute("a", (STAGE,), (0,)),
        Transfer("a", "edge", Payload("mask", fixed_bytes=1e3), after=(1,)),
    )
)
UNSEEN = Plan((Compute("edge", (STAGE,)),))
COLUMNS = {
    "steps": STEP_COLUMNS,
    "requests": REQUEST_COLUMNS,
    "exposure": EXPOSURE_COLUMNS,
    "nodes": NODE_COLUMNS,
    "links": LINK_COLUMNS,
    "incidents": INCIDENT_COLUMNS,
}


def tables(make_scenario: MakeScenario, plan: Plan = SEEN, replication: int = 0) -> Tables:
    scenario = make_scenario(Scripted((plan,)), arrivals_s=(0.0, 0.2))
    return Tables(Simulator().run(scenario, replication), replication)


def written(path: Path, make_scenario: MakeScenario) -> Path:
    """Write two replications of one policy and one of another that shows nothing to anybody."""
    with ResultFolder(path) as folder:
        stream(folder, make_scenario, "unseen", UNSEEN)
        stream(folder, make_scenario, "seen", SEEN)
        stream(folder, make_scenario, "seen", SEEN, replication=1)
        folder.complete("test", {"seed": 3}, ["unseen", "seen"])
    return path


def stream(
    folder: ResultFolder,
    make_scenario: MakeScenario,
    policy: str,
    plan: Plan,
    steps: int = 2,
    requests: int = 2,
    replication: int = 0,
) -> None:
    """Run requests that follow ``plan`` and write them in chunks of so many steps."""
    arrivals_s = [0.2 * index for index in range(requests)]
    scenario = make_scenario(Scripted((plan,)), arrivals_s=arrivals_s)
    ledger = Ledger(scenario.topology, replication)

    def take(chunk: Trace) -> None:
        tables = Tables(chunk, replication)
        ledger.add(tables)
        folder.add(policy, replication, tables)

    trace = Simulator().run(scenario, replication, Sink(take, steps))
    folder.add_books(policy, ledger, trace)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_has_the_promised_columns_and_its_policy(
    tmp_path: Path, make_scenario: MakeScenario, name: str
) -> None:
    table = pq.read_table(written(tmp_path / "results", make_scenario) / f"{name}.parquet")
    assert table.column_names == [*COLUMNS[name], "policy"]
    assert not any(pa.types.is_null(field.type) for field in table.schema)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_one_type_in_every_table(
    tmp_path: Path, make_scenario: MakeScenario, name: str
) -> None:
    schema = pq.read_schema(written(tmp_path / "results", make_scenario) / f"{name}.parquet")
    for field in schema:
        if field.name.endswith(("_s", "_j", "_usd", "_g")) or field.name in (
            "bytes", "flops", "pixels", "utilisation",
        ):  # fmt: skip
            assert field.type == pa.float64(), field
        elif field.name in ("request", "replication", "attempt", "step", "slots"):
            assert field.type == pa.int64(), field
        elif field.name in ("critical", "mixes"):
            assert field.type == pa.bool_(), field
        elif field.name in ("kind", "stage", "node", "world", "outcome", "policy", "provider"):
            assert field.type == pa.string(), field


def test_the_tables_hold_what_was_added(tmp_path: Path, make_scenario: MakeScenario) -> None:
    folder = written(tmp_path / "results", make_scenario)
    steps = pq.read_table(folder / "steps.parquet").to_pandas()
    assert steps.groupby(["policy", "replication"]).size().to_dict() == {
        ("seen", 0): 6,
        ("seen", 1): 6,
        ("unseen", 0): 2,
    }
    requests = pq.read_table(folder / "requests.parquet").to_pandas()
    assert list(requests["latency_s"][:2]) == pytest.approx([1.0, 1.8])
    exposure = pq.read_table(folder / "exposure.parquet").to_pandas()
    assert set(exposure["policy"]) == {"seen"}
    assert set(exposure["node"]) == {"a"}
    assert set(exposure["provider"]) == {"one"}
    assert set(exposure["received"]) == {"pixels"}


def test_nodes_and_links_have_a_row_per_replication_and_policy(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    folder = written(tmp_path / "results", make_scenario)
    nodes = pq.read_table(folder / "nodes.parquet").to_pandas()
    assert nodes.groupby(["policy", "replication"])["node"].agg(list).to_dict() == {
        ("seen", 0): ["edge", "a", "b"],
        ("seen", 1): ["edge", "a", "b"],
        ("unseen", 0): ["edge", "a", "b"],
    }
    links = pq.read_table(folder / "links.parquet").to_pandas()
    carried = links[links["policy"] == "seen"].set_index("channel").loc["edge->router"]
    assert list(carried["bytes"]) == pytest.approx([2e3, 2e3])


def test_the_manifest_adds_up_per_policy(tmp_path: Path, make_scenario: MakeScenario) -> None:
    folder = written(tmp_path / "results", make_scenario)
    totals = json.loads((folder / "manifest.json").read_text())["totals"]
    assert set(totals) == {"seen", "unseen"}
    assert tuple(totals["seen"]) == TOTALS
    assert (totals["seen"]["requests"], totals["seen"]["steps"]) == (4, 12)
    assert totals["seen"]["carbon_g"] is None  # nobody said how it is made
    steps = pq.read_table(folder / "steps.parquet").to_pandas()
    caused_j = steps.groupby("policy")["energy_j"].sum()
    for policy, sums in totals.items():
        drawn_j = sums["energy_busy_j"] + sums["energy_links_j"]
        assert drawn_j == pytest.approx(caused_j[policy], rel=1e-9)


def test_incidents_have_a_row_each_and_none_is_a_table_all_the_same(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    folder = written(tmp_path / "quiet", make_scenario)
    assert pq.read_table(folder / "incidents.parquet").num_rows == 0
    faults = FaultPlan((Fault(0.1, "b", "slow", 0.5), Fault(0.2, "b", "leave")))
    scenario = make_scenario(Scripted((SEEN,)), faults=faults)
    trace = Simulator().run(scenario)
    with ResultFolder(tmp_path / "troubled") as results:
        results.add("seen", 0, Tables(trace))
        results.add_books("seen", Ledger(scenario.topology), trace)
        results.complete("test", {}, ["seen"])
    rows = pq.read_table(tmp_path / "troubled" / "incidents.parquet").to_pylist()
    common = {"replication": 0, "target": "b", "world": "sim", "policy": "seen"}
    assert rows == [
        {"at_s": 0.1, "kind": "slow", "detail": "factor 0.5", **common},
        {"at_s": 0.2, "kind": "leave", "detail": "", **common},
    ]


def test_the_manifest_names_the_worlds_that_results_came_from(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    scenario = make_scenario(Scripted((SEEN,)))
    trace = Simulator().run(scenario)
    trace.world = "real"
    with ResultFolder(tmp_path / "results") as folder:
        folder.add("seen", 0, Tables(trace))
        folder.complete("test", {}, ["seen"])
    assert json.loads((tmp_path / "results" / "manifest.json").read_text())["world"] == "real"


@pytest.mark.parametrize("steps", [1, 7, 40, 10_000])
def test_the_size_of_chunks_changes_nothing(
    tmp_path: Path, make_scenario: MakeScenario, steps: int
) -> None:
    for name, size in (("one", 5), ("other", steps)):
        with ResultFolder(tmp_path / name) as folder:
            stream(folder, make_scenario, "seen", SEEN, size, requests=60)
            folder.complete("test", {}, ["seen"])
    for name in COLUMNS:
        one, other = (
            pq.read_table(tmp_path / folder / f"{name}.parquet") for folder in ("one", "other")
        )
        assert one.equals(other)
        assert one.num_rows > 0 or name == "incidents"
    one, other = ((tmp_path / folder / "timeline.json").read_bytes() for folder in ("one", "other"))
    assert one == other


def test_a_run_that_shows_nothing_has_an_empty_exposure_table(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    with ResultFolder(tmp_path / "results") as folder:
        folder.add("unseen", 0, tables(make_scenario, UNSEEN))
        folder.complete("test", {}, ["unseen"])
    table = pq.read_table(tmp_path / "results" / "exposure.parquet")
    assert table.num_rows == 0
    assert table.column_names == [*EXPOSURE_COLUMNS, "policy"]


def test_the_manifest_says_what_was_run_where_and_with_what(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    folder = written(tmp_path / "results", make_scenario)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["scenario"] == {"seed": 3}
    assert manifest["policies"] == ["unseen", "seen"]
    assert (manifest["world"], manifest["dilation"]) == ("sim", 1)
    assert manifest["link_certificate"] is None
    age = datetime.now(UTC) - datetime.fromisoformat(manifest["created"])
    assert abs(age.total_seconds()) < 3600
    assert "git_revision" in manifest
    assert set(manifest["host"]) == {"system", "python"}
    assert manifest["versions"]["numpy"]
    assert "simpy" in manifest["versions"]


def test_the_scenario_in_a_manifest_is_one_that_can_be_run_again(
    scenario_file: ScenarioFile,
) -> None:
    document = read_scenario(scenario_file(), ["seed=11", "view_age=30ms"])
    again = json.loads(json.dumps(document.model_dump(mode="json")))
    assert parse(ScenarioDocument, again, "manifest.json") == document


def test_only_the_first_replication_of_each_policy_is_drawn(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    folder = written(tmp_path / "results", make_scenario)
    events = json.loads((folder / "timeline.json").read_text())["traceEvents"]
    names = {event["pid"]: event["args"]["name"] for event in events if event["tid"] == 0}
    assert names == {1: "sim: unseen", 2: "sim: seen"}
    computed = [event["pid"] for event in events if event["ph"] == "X"]
    assert computed.count(1) == computed.count(2) == 2


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(
    tmp_path: Path, make_scenario: MakeScenario, error: type[BaseException]
) -> None:
    def fail_half_way() -> None:
        with ResultFolder(tmp_path / "deep" / "results") as folder:
            folder.add("seen", 0, tables(make_scenario))
            folder.complete("test", {}, ["seen"])
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert not list(tmp_path.iterdir())


def test_without_the_word_that_it_is_complete_nothing_is_left(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    with ResultFolder(tmp_path / "results") as folder:
        folder.add("seen", 0, tables(make_scenario))
    assert not list(tmp_path.iterdir())


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with ResultFolder(tmp_path / "old" / "new" / "results"):
        assert (tmp_path / "old" / "new").is_dir()
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_nothing_shows_under_the_final_name_before_it_is_whole(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    with ResultFolder(tmp_path / "results") as folder:
        folder.add("seen", 0, tables(make_scenario))
        folder.complete("test", {}, ["seen"])
        assert not (tmp_path / "results").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_folder_that_exists_is_refused_and_untouched(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="exists already"), ResultFolder(tmp_path):
        pass
    assert tmp_path.is_dir()
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*"))


@pytest.mark.parametrize("name", ["file/results", "a" * 300, "there/" + "a" * 250])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ScenarioError, match="--out"), ResultFolder(tmp_path / name):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_somebody_elses_folder_of_that_name_is_not_overwritten(
    tmp_path: Path, make_scenario: MakeScenario
) -> None:
    theirs = tmp_path / "results"

    def lose_the_race() -> None:
        with ResultFolder(theirs) as folder:
            folder.add("seen", 0, tables(make_scenario))
            folder.complete("test", {}, ["seen"])
            theirs.mkdir()
            (theirs / "notes").write_text("theirs")

    with pytest.raises(ScenarioError, match="results"):
        lose_the_race()
    assert (theirs / "notes").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_two_writers_do_not_share_a_draft(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "results"):
        (draft,) = tmp_path.iterdir()
        assert draft.name == f".results.{os.getpid()}.partial"
