from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from topologies.documents import DocumentError, Seconds, Strict, parse, read_document
from topologies.errors import TopologyError


class Inner(Strict):
    device: str = ""
    role: Literal["edge", "cloud"] = "edge"
    delay_s: Seconds = 0.0


class Outer(Strict):
    name: str
    nodes: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = Field(default={})
    either: str | Inner = ""
    count: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _named(self) -> "Outer":
        if self.name == "forbidden":
            raise TopologyError("name 'forbidden' is taken; choose another")
        return self


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def failure(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), path.name)


def refusal(data: object) -> str:
    with pytest.raises(DocumentError) as caught:
        parse(Outer, data, "jetson.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_yaml_and_json_give_the_same_objects(tmp_path: Path) -> None:
    yaml_file = write(tmp_path, "a.yaml", "name: x\nnodes: [{device: t4}]\n")
    json_file = write(tmp_path, "a.json", '{"name": "x", "nodes": [{"device": "t4"}]}')
    assert read_document(yaml_file) == read_document(json_file)


def test_dates_in_yaml_stay_text_as_they_would_in_json(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, "a.yaml", "date: 2024-06-01")) == {"date": "2024-06-01"}


def test_yaml_merge_keys_are_no_duplicates(tmp_path: Path) -> None:
    text = "a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n"
    assert read_document(write(tmp_path, "a.yaml", text)) == {"a": {"x": 1}, "b": {"x": 2}}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert failure(tmp_path / "no.yaml") == "no.yaml: cannot be read: No such file or directory"


def test_binary_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert failure(tmp_path / "b.yaml") == "b.yaml: cannot be read: not UTF-8 text"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "a: 1\nb: 2\na: 3\n", "line 3: duplicate key 'a'; keep one of them"),
        ("a.yaml", "x: {a: 1, a: 1}\n", "line 1: duplicate key 'a'; keep one of them"),
        ("a.json", '{"a": 1,\n "b": }', "line 2: Expecting value"),
        ("a.json", '{"x": {"a": 1, "a": 2}}', "duplicate key 'a'; keep one of them"),
        ("a.json", '{"a": NaN}', "NaN is no JSON number; write a finite one"),
    ],
)
def test_malformed_files_are_refused_with_the_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    assert failure(write(tmp_path, name, text)) == f"{name}: {message}"


def test_a_document_that_breaks_off_is_refused_with_the_line(tmp_path: Path) -> None:
    told = failure(write(tmp_path, "a.yaml", "a: 1\nb: [1,\n"))
    assert told.startswith("a.yaml: line 3: ")
    assert "node content" in told  # libyaml and PyYAML each say so in words of their own


def test_python_objects_are_never_built(tmp_path: Path) -> None:
    text = "!!python/object/apply:os.system ['true']"
    assert "could not determine a constructor" in failure(write(tmp_path, "a.yaml", text))


@pytest.mark.parametrize("text", ["!!int abc", "a: \x01", "!!float x"])
def test_odd_yaml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    assert failure(write(tmp_path, "a.yaml", text)).startswith("a.yaml: ")


def test_fitting_data_become_the_model() -> None:
    outer = parse(Outer, {"name": "x", "nodes": [{"delay": "2ms"}]}, "jetson.yaml")
    assert outer.nodes[0].delay_s == 0.002


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "x", "nodes": [{"devise": "t4"}]},
         "nodes.0.devise: unknown key; did you mean 'device'?"),
        ({"name": "x", "by_name": {"a": {"zzz": "t4"}}},
         "by_name.a.zzz: unknown key; use one of 'delay', 'device', 'role'"),
        ({"name": "x", "node": []}, "node: unknown key; did you mean 'nodes'?"),
        ({"name": "x", "either": {"devise": "t4"}},
         "either.devise: unknown key; did you mean 'device'?"),
        ({"name": "x", "either": 5}, "either: got 5: input should be a valid string"),
        ({}, "name: missing; add it"),
        ({"nam": "x"}, "nam: unknown key; did you mean 'name'?"),
        ({"name": "x", "nodes": [{"delay": 2}]},
         "nodes.0.delay: 2 has no unit; write it like '320ms'"),
        ({"name": "x", "nodes": [{"delay": "2kg"}]},
         "nodes.0.delay: '2kg': 'kg' is no unit of duration; use one of s, ms, us, µs, ns, min, h"),
        ({"name": "x", "nodes": [{"role": "edg"}]},
         "nodes.0.role: got 'edg': input should be 'edge' or 'cloud'"),
        ({"name": "x", "count": 0},
         "count: got 0: input should be greater than or equal to 1"),
        ({"name": "forbidden"}, "name 'forbidden' is taken; choose another"),
        ({"name": {}}, "name: got a mapping: input should be a valid string"),
    ],
)  # fmt: skip
def test_the_first_fault_is_told_in_one_line(data: object, message: str) -> None:
    assert refusal(data) == f"jetson.yaml: {message}"


@pytest.mark.parametrize("data", [None, 5, "text", []])
def test_a_document_is_a_mapping(data: object) -> None:
    assert refusal(data).startswith(f"jetson.yaml: got {data!r}: input should be a valid dict")


def test_python_names_are_no_keys_of_files() -> None:
    assert "unknown key; did you mean 'delay'?" in refusal({"name": "x", "nodes": [{"delay_s": 1}]})
