"""Timelines of every world are what the trace event format asks for, field by field.

Perfetto's own trace processor, the program, is asked too where it is installed: its Python package
would download it.
"""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from experiments.cli.main import status_of
from tests.experiments.reports.conftest import settings

PROCESSOR = shutil.which("trace_processor_shell") or shutil.which("trace_processor")
Microseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0)]


class _Event(BaseModel):
    """What every event has: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1)
    pid: Number
    tid: Number


class Named(BaseModel):
    """The only argument of a name."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1)


class Metadata(_Event):
    """A process's or a thread's name."""

    ph: Literal["M"]
    name: Literal["process_name", "thread_name"]
    args: Named


class Complete(_Event):
    """A slice of a thread."""

    ph: Literal["X"]
    cat: str
    ts: Microseconds
    dur: Microseconds
    args: dict[str, Any]


class Nestable(_Event):
    """The begin or the end of an asynchronous slice, which category and id tell from others."""

    ph: Literal["b", "e"]
    cat: str
    id: str = Field(min_length=1)
    ts: Microseconds
    args: dict[str, Any]


class Timeline(BaseModel):
    """The format's JSON object."""

    model_config = ConfigDict(extra="forbid", strict=True)
    traceEvents: list[  # noqa: N815 - the format's name
        Annotated[Metadata | Complete | Nestable, Field(discriminator="ph")]
    ]


READ = TypeAdapter(Timeline)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run, of workers that hold their devices and compute nothing."""
    out = tmp_path_factory.mktemp("real") / "results"
    few = settings(
        "replications=1", "workload.requests=4", "warm_up=0", "real.default.executor=synthetic"
    )
    assert status_of(["run", "small-sam", "--policy", "local", *few, "--out", str(out)]) == 0
    return out / "timeline.json"


@pytest.fixture(params=["simulated", "both worlds", "for real"])
def path(request: pytest.FixtureRequest, compared: Path) -> Path:
    if request.param == "for real":
        found: Path = request.getfixturevalue("real")
        return found
    return compared / ("sim/timeline.json" if request.param == "simulated" else "timeline.json")


def test_every_event_has_the_fields_of_its_kind_and_no_other(path: Path) -> None:
    assert READ.validate_json(path.read_bytes()).traceEvents


def test_processes_and_threads_are_named_once_and_transfers_begin_and_end_once(path: Path) -> None:
    events = READ.validate_json(path.read_bytes()).traceEvents
    names = Counter((each.name, each.pid, each.tid) for each in events if each.ph == "M")
    assert set(names.values()) == {1}
    for each in events:
        if each.ph != "M":
            assert names["process_name", each.pid, 0]
            assert names["thread_name", each.pid, each.tid]
    begun = Counter((each.cat, each.id) for each in events if each.ph == "b")
    ended = Counter((each.cat, each.id) for each in events if each.ph == "e")
    assert begun == ended
    assert set(begun.values()) <= {1}


def test_both_worlds_stand_side_by_side(compared: Path) -> None:
    events = READ.validate_json((compared / "timeline.json").read_bytes()).traceEvents
    worlds = {
        each.args.name.partition(":")[0]
        for each in events
        if isinstance(each, Metadata) and each.name == "process_name"
    }
    assert worlds == {"sim", "real"}
    apart = sum(
        len(json.loads((compared / world / "timeline.json").read_text())["traceEvents"])
        for world in ("sim", "real-1")
    )
    assert len(events) == apart


@pytest.mark.parametrize(
    ("field", "value"), [("ts", -1.0), ("dur", None), ("pid", "1"), ("ph", "Q"), ("tid", None)]
)
def test_an_event_that_is_none_is_told_from_one(field: str, value: object) -> None:
    good = {"ph": "X", "name": "work", "cat": "compute", "pid": 1, "tid": 1, "ts": 0.0,
            "dur": 1.0, "args": {}}  # fmt: skip
    READ.validate_python({"traceEvents": [good]})
    bad = {key: each for key, each in (good | {field: value}).items() if each is not None}
    with pytest.raises(ValueError, match=field if field != "ph" else "Q"):
        READ.validate_python({"traceEvents": [bad]})


@pytest.mark.skipif(PROCESSOR is None, reason="no trace_processor_shell on the path: perfetto.dev")
def test_the_trace_processor_reads_it_without_a_complaint(path: Path) -> None:
    from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

    with TraceProcessor(str(path), config=TraceProcessorConfig(bin_path=PROCESSOR)) as opened:
        (row,) = opened.query("select count(*) as n from slice")
        errors = opened.query(
            "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
        )
        events = READ.validate_json(path.read_bytes()).traceEvents
        assert row.n == sum(each.ph in {"X", "b"} for each in events)
        assert [each.name for each in errors] == []
