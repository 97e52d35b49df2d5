import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.files import read_topology, write_topology
from topologies.graphml import read_graphml, write_graphml
from topologies.serving import (
    IN_ORDER,
    Autoscale,
    BackgroundLoad,
    Batching,
    ColdStart,
    MemoryLimit,
    NoiseModel,
    Serving,
)
from topologies.topology import Node, Topology
from topologies.topology_document import json_schema, plain, topology_from

EVERYTHING = Serving(
    discipline="preemptive-priority",
    priorities={"sam.decode": 2},
    limit=50,
    batch=Batching(8, 5e-3),
    memory=MemoryLimit(12 * 10**9, 0.25, 3 * 10**9),
    interference=0.15,
    cold_start=ColdStart(1.5e9),
    noise=NoiseModel(cv=0.1),
    background=BackgroundLoad(0.3, 20e-3, 1),
    autoscale=Autoscale(0.6, 8, 30.0, 2, 10.0),
)
WRITTEN = {
    "discipline": "preemptive-priority",
    "priorities": {"sam.decode": 2},
    "limit": 50,
    "batch": {"largest": 8, "wait": "5ms"},
    "memory": {"limit": "12GB", "working": 0.25, "caches": "3GB"},
    "interference": 0.15,
    "cold_start": {"rate": "1.5GB/s"},
    "noise": {"cv": 0.1},
    "background": {"utilisation": 0.3, "service": "20ms", "priority": 1},
    "autoscale": {
        "target": 0.6, "max_slots": 8, "start_up": "30s", "min_slots": 2, "interval": "10s",
    },
}  # fmt: skip


def document(serving: object) -> dict[str, Any]:
    cloud = {"name": "c", "role": "cloud", "device": "t4", "serving": serving}
    return {"name": "t", "nodes": [cloud]}


def refusal(serving: object) -> str:
    with pytest.raises(DocumentError) as caught:
        topology_from(document(serving), "t.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_key_of_a_file_is_read_and_written() -> None:
    topology = topology_from(document(WRITTEN), "t.yaml")
    assert topology.node("c").serving == EVERYTHING
    assert plain(topology)["nodes"][0]["serving"] == WRITTEN


def test_a_node_that_says_nothing_serves_in_order_and_writes_nothing() -> None:
    topology = topology_from({"name": "t", "nodes": [
        {"name": "c", "role": "cloud", "device": "t4"}]}, "t.yaml")  # fmt: skip
    assert topology.node("c").serving == IN_ORDER
    assert "serving" not in plain(topology)["nodes"][0]


@pytest.mark.parametrize("suffix", ["yaml", "json", "graphml"])
def test_every_format_keeps_it(tmp_path: Path, suffix: str) -> None:
    topology = topology_from(document(WRITTEN), "t.yaml")
    path = tmp_path / f"t.{suffix}"
    (write_graphml if suffix == "graphml" else write_topology)(topology, path)
    assert (read_graphml if suffix == "graphml" else read_topology)(path) == topology


def test_it_is_a_value() -> None:
    assert pickle.loads(pickle.dumps(EVERYTHING)) == EVERYTHING  # noqa: S301 - our own
    assert hash(EVERYTHING) == hash(replace(EVERYTHING))
    assert replace(EVERYTHING, limit=51) != EVERYTHING


def test_the_json_schema_knows_its_keys() -> None:
    definitions = json_schema()["$defs"]
    assert set(definitions["Serving"]["properties"]) == set(WRITTEN)
    assert definitions["Serving"]["additionalProperties"] is False
    assert "ms" in definitions["Batching"]["properties"]["wait"]["pattern"]
    json.dumps(definitions)


@pytest.mark.parametrize(
    ("serving", "message"),
    [
        ({"batches": {}}, "serving.batches: unknown key; did you mean 'batch'?"),
        ({"batch": {"largst": 3}}, "serving.batch.largst: unknown key; did you mean 'largest'?"),
        ({"batch": {"wait": "1s"}}, "serving.batch.largest: missing; add it"),
        ({"batch": {"largest": 2, "wait": 4}},
         "serving.batch.wait: 4 has no unit; write it like '320ms'"),
        ({"batch": {"largest": 1}},
         "serving.batch: serving: batch.largest is 1; it must be at least 2"),
        ({"discipline": "lifo"}, "serving.discipline: got 'lifo': input should be 'fifo', "),
        ({"memory": {"caches": "0GB"}},
         "serving.memory: serving: memory.caches_bytes is 0; it must be above 0"),
        ({"memory": {"caches": 5}}, "serving.memory.caches: 5 has no unit; write it like "),
        ({"memory": {"limit_bytes": "3GB"}}, "serving.memory.limit_bytes: unknown key; did you"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(serving: object, message: str) -> None:
    assert refusal(serving).startswith(f"t.yaml: nodes.0.{message}")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Serving("lifo"), "discipline is 'lifo'; it must be one of fifo, "),  # type: ignore[arg-type]
        (lambda: Serving(limit=0), "limit is 0; it must be at least 1"),
        (lambda: Serving(interference=-0.1),
         "interference is -0.1; it must be finite and at least 0"),
        (lambda: Serving(priorities={"a": 1}), "discipline 'fifo' looks at no priorities; use "),
        (lambda: Serving(background=BackgroundLoad(0.1, 1.0, 3)),
         "discipline 'fifo' looks at no priorities; use "),
        (lambda: Batching(2, -1.0), "batch.wait_s is -1.0; it must be finite and at least 0"),
        (lambda: MemoryLimit(0), "memory.limit_bytes is 0; it must be above 0"),
        (lambda: MemoryLimit(caches_bytes=0), "memory.caches_bytes is 0; it must be above 0"),
        (lambda: MemoryLimit(working=1.5), "memory.working is 1.5; it must be between 0 and 1"),
        (lambda: ColdStart(0.0), "cold_start.rate_bytes_per_s is 0.0; it must be above 0"),
        (ColdStart, "cold_start: give either a rate or a source"),
        (lambda: ColdStart(1e9, "a"), "cold_start: give either a rate or a source"),
        (NoiseModel, "noise: give either cv above 0, or factors, or a table"),
        (lambda: NoiseModel(cv=0.1, factors=(1.0,)), "noise: give either cv above 0, or "),
        (lambda: NoiseModel(cv=-0.1), "noise.cv is -0.1; it must be finite and at least 0"),
        (lambda: NoiseModel(factors=(1.0, 0.0)), "noise.factors is 0.0; it must be factors above"),
        (lambda: BackgroundLoad(1.0, 1.0),
         "background.utilisation is 1.0; it must be above 0 and below 1"),
        (lambda: BackgroundLoad(0.5, 0.0), "background.service_s is 0.0; it must be above 0"),
        (lambda: Autoscale(0.0, 4, 1.0), "autoscale.target is 0.0; it must be above 0 and at most"),
        (lambda: Autoscale(0.5, 4, 1.0, 5),
         "autoscale.max_slots is 4; it must be at least min_slots"),
        (lambda: Autoscale(0.5, 4, 1.0, 1, 0.0), "autoscale.interval_s is 0.0; it must be above 0"),
    ],
)  # fmt: skip
def test_figures_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        make()
    assert str(caught.value).startswith(f"serving: {message}")


def test_weights_may_come_from_another_node_of_the_topology() -> None:
    nodes = [
        {"name": "c", "role": "cloud", "device": "t4", "serving": {"cold_start": {"source": "s"}}},
        {"name": "s", "role": "router"},
    ]
    link = {"source": "c", "target": "s", "rate": "1Gbit/s", "delay": "1ms"}
    topology = topology_from({"name": "t", "nodes": nodes, "links": [link]}, "t")
    assert topology.node("c").serving.cold_start == ColdStart(source="s")
    assert topology_from(plain(topology), "t") == topology
    for wrong in ("c", "store"):
        nodes[0]["serving"] = {"cold_start": {"source": wrong}}
        with pytest.raises(TopologyError, match=f"cold_start.source '{wrong}' is no other node"):
            topology_from({"name": "t", "nodes": nodes, "links": [link]}, "t")


def test_only_a_device_serves() -> None:
    with pytest.raises(TopologyError, match="nothing serves without a device; remove serving"):
        Node("r", "router", serving=Serving(limit=3))


def test_a_table_of_noise_is_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "factors.txt").write_text("0.9\n1.0\n1.4\n")
    path = tmp_path / "t.yaml"
    path.write_text(json.dumps(document({"noise": {"table": "factors.txt"}})))
    topology = read_topology(path)
    assert topology.node("c").serving.noise == NoiseModel(factors=(0.9, 1.0, 1.4))
    write_topology(topology, tmp_path / "copy.yaml")
    assert read_topology(tmp_path / "copy.yaml") == topology


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "factors.txt cannot be read: No such file or directory"),
        ("", "factors.txt is empty; give a factor per line"),
        ("1.0\nfast\n", "factors.txt: line 2 is 'fast'; it must be a number above 0"),
        ("-1\n", "factors.txt: line 1 is '-1'; it must be a number above 0"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "factors.txt").write_text(text)
    with pytest.raises(TopologyError) as caught:
        topology_from(document({"noise": {"table": "factors.txt"}}), "t.yaml", tmp_path)
    start, folder = "t.yaml: node 'c': serving: noise.table: ", f"{tmp_path}/"
    assert str(caught.value) == start + folder + message


def test_topologies_with_and_without_it_differ() -> None:
    device = topology_from(document(None), "t").node("c").device
    bare = Topology("t", (Node("c", "cloud", device),), ())
    assert bare == topology_from(document(None), "t")
    assert bare != topology_from(document({"limit": 1}), "t")
