"""The program as a user meets it: what it prints where, and with which exit status it leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.policies.registry import POLICIES
from tests.complaints import refused
from tests.experiments.conftest import Program, Ran, ScenarioFile

SHIPPED = "jetson-16-clouds"
QUICK = ("--set", "replications=1", "--set", "workload.requests=24")
PROGRAM = (sys.executable, "-c", "from experiments.cli import main; main()")

ON_EDGE = """
from dataclasses import dataclass
from sim.plan import Compute, Plan

@dataclass(frozen=True)
class OnEdge:
    edge: str = "jetson"
    times: int = 1

    def plan(self, request, progress, view):
        stages = tuple(link.stage for link in request.model.chain)
        return Plan((Compute(self.edge, stages * self.times),))

class Sketch:
    pass
"""


def as_json(ran: Ran) -> dict[str, object]:
    """Return the one JSON object that the program printed, which has no NaN or infinity."""
    assert ran.err == ""

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(ran.out, parse_constant=no_constant)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["frobnicate"], ["frobnicate"]),
        (["simulate"], ["SCENARIO"]),
        (["budget"], ["SCENARIO"]),
        (["list"], ["policies", "scenarios"]),
        (["list", "device"], ["device", "devices"]),
        (["simulate", SHIPPED, "--frobnicate"], ["--frobnicate"]),
        (["simulate", SHIPPED, "surplus"], ["surplus"]),
        (["simulate", SHIPPED, "--out"], ["--out"]),
        (["budget", SHIPPED, "--quantile", "most"], ["--quantile", "number"]),
        (["simulate", "jetson-16-cloud"], ["jetson-16-cloud", f"did you mean '{SHIPPED}'?"]),
        (["simulate", "zzz"], ["zzz", SHIPPED, ".yaml"]),
        (["simulate", "/there/is/none.yaml"], ["/there/is/none.yaml", "No such file"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_command_line_is_refused_in_one_line(
    tessera: Program, arguments: list[str], parts: list[str]
) -> None:
    refused(tessera(*arguments), *parts)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("deadline:", "deadlin:", ["deadlin: unknown key", "did you mean 'deadline'?"]),
        ("requests:", "request:", ["workload.request: unknown key", "did you mean 'requests'?"]),
        ("width_px", "with_px", ["workload.image.with_px", "did you mean 'width_px'?"]),
        ("rate_per_s", "rate_pr_s", ["workload.arrivals.rate_pr_s", "did you mean 'rate_per_s'?"]),
        ("deadline: 900ms\n", "", ["deadline: missing"]),
        ("900ms", "0.9", ["deadline: 0.9 has no unit", "320ms"]),
        ("900ms", "900", ["deadline: 900 has no unit"]),
        ("900ms", "900Mbit/s", ["deadline", "'Mbit/s' is no unit of duration"]),
        ("900ms", "-900ms", ["deadline", "out of range"]),
        ("900ms", "soon", ["deadline", "'soon' is no duration"]),
        ("seed: 7", "seed: 7\nseed: 8", ["line 11", "duplicate key 'seed'"]),
        ("seed: 7", "seed: -7", ["seed: got -7"]),
        ("seed: 7", "view_age: 3", ["view_age: 3 has no unit"]),
        ("requests: 12", "requests: 1.5", ["workload.requests: got 1.5"]),
        ("requests: 12", "requests: 0", ["workload.requests: got 0"]),
        ("replications: 2", "replications: 0", ["replications: got 0"]),
        ("kind: poisson", "kind: poison", ["workload.arrivals", "poison", "'poisson'"]),
        ("kind: poisson, ", "", ["workload.arrivals", "'kind'"]),
        ("rate_per_s: 0.5", "rate_per_s: -1", ["rate_per_s: -1", "positive"]),
        ("rate_per_s: 0.5", "rate_per_s: .nan", ["rate_per_s: nan", "positive"]),
        ("kind: poisson, rate_per_s: 0.5", "kind: replay, path: no.txt", ["no.txt"]),
        ("sam-vit-b", "sam-vit-g", ["'sam-vit-g' is unknown", "did you mean 'sam-vit-"]),
        ("jpeg", "gif", ["image.encoding: 'gif'", "raw, png, jpeg"]),
        ("width_px: 1280", "width_px: 0", ["image.width_px: 0"]),
        ("model: sam-vit-b", "model: sam-vit-b\n  precision: fp99", ["'fp99'", "fp16"]),
        ("orin-nano-4-clouds", "orin-nano-4-cloud", ["did you mean 'orin-nano-4-clouds'?"]),
        ("orin-nano-4-clouds", "no-such.yaml", ["no-such.yaml", "No such file"]),
        ("topology: orin", "topology: {name: orin}\nx: orin", ["topology: got a mapping"]),
        ("description: four clouds\n", "- ", [": line 2: "]),
        ("  model: sam", "\tmodel: sam", [": line 4: "]),
        ("description", "origins: [cellar]\ndescription", ["no node 'cellar'"]),
        ("description", "origins: orin\ndescription", ["origins: got 'orin'"]),
    ],
)
def test_a_mistake_in_a_scenario_file_names_the_file_the_place_and_the_remedy(
    tessera: Program, scenario_file: ScenarioFile, old: str, new: str, parts: list[str]
) -> None:
    path = scenario_file(old, new)
    ran = tessera("simulate", str(path))
    refused(ran, *parts)
    if "cellar" not in new:
        assert path.name in ran.err


@pytest.mark.parametrize(
    ("new", "parts"),
    [("warm_up: 12", ["warm_up", "12 requests"]), ("warm_up: 99", ["warm_up", "12 requests"])],
)
def test_a_warm_up_that_leaves_nothing_to_measure_is_refused(
    tessera: Program, scenario_file: ScenarioFile, new: str, parts: list[str]
) -> None:
    refused(tessera("simulate", str(scenario_file("warm_up: 2", new))), "'mine'", *parts)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "no mapping"), (b"- a\n", "no mapping"), (b"3", "no mapping"), (b"\xff\xfe", "UTF-8")],
)
def test_a_file_that_is_no_scenario_is_named(
    tessera: Program, tmp_path: Path, content: bytes, part: str
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    refused(tessera("simulate", str(path)), str(path), part)
    (tmp_path / "folder.yaml").mkdir()
    refused(tessera("simulate", str(tmp_path / "folder.yaml")), "folder.yaml", "directory")


def test_a_mistake_in_the_topology_file_names_both_files(
    tessera: Program, scenario_file: ScenarioFile, tmp_path: Path
) -> None:
    (tmp_path / "world.yaml").write_text(
        "name: world\nnodes:\n- {name: e, role: edge, device: jetson-agx-orin-32gb}\n"
    )
    path = scenario_file("orin-nano-4-clouds", "world.yaml")
    refused(tessera("simulate", str(path)), "mine.yaml", "world.yaml", "unknown device", "did you")


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("replications", ["key=value"]),
        ("=3", ["key=value"]),
        ("replications.more=3", ["'replications' holds a value"]),
        ("workload.requests.more=3", ["'requests' holds a value"]),
        ("replication=3", ["with --set", "replication: unknown key", "'replications'"]),
        ("workload.request=3", ["workload.request: unknown key", "'requests'"]),
        ("sub.key=3", ["sub: unknown key", "'deadline'"]),
        ("seed=[1", ["'[1' is no value"]),
        ("seed=2024-13-45", ["seed: got '2024-13-45': input should be a valid integer"]),
        ("seed=!!python/object:os.system x", ["is no value"]),
        ("deadline=0.32", ["deadline: 0.32 has no unit"]),
        ("deadline=", ["deadline: got None"]),
        ("warm_up=24", ["warm_up", "24 requests"]),
        ("topology=jetson-16-cloud", [f"did you mean '{SHIPPED}'?"]),
        ("topology=jetson.yaml", ["jetson.yaml", "No such file"]),
        ("topology=" + "a" * 300, ["no shipped topology"]),
        ("workload.model=sam-vit", ["'sam-vit' is unknown"]),
        ("workload.arrivals.kind=camra", ["camra", "'camera'"]),
        ("workload.pixel_encoding=gif", ["'gif' is unknown"]),
        ("origins=[isp]", ["'isp' is not trusted"]),
        ("origins=[jetson, jetson]", ["only once"]),
        ("policy=locl", ["did you mean 'local'?"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(
    tessera: Program, setting: str, parts: list[str]
) -> None:
    refused(tessera("simulate", SHIPPED, *QUICK, "--set", setting), *parts)


@pytest.mark.parametrize(
    ("policy", "parts"),
    [
        ("locl", ["'locl' is unknown", "did you mean 'local'?"]),
        ("", ["'' is unknown", "tessera list policies"]),
        ("sharded/deferred:cloud=3", ["'cloud'", "did you mean 'clouds'?"]),
        ("local:clouds=3", ["unknown parameter 'clouds'"]),
        ("offload:clouds=3", ["unknown parameter 'clouds'"]),
        ("sharded/deferred:mode=exact", ["unknown parameter 'mode'"]),
        ("sharded/deferred:clouds=few", ["clouds", "integer"]),
        ("sharded/deferred:clouds=-1", ["clouds: -1 is negative"]),
        ("sharded/deferred:clouds", ["'clouds' is no 'key=value'"]),
        ("sharded/deferred:clouds=17", ["17 wanted", "has 16"]),
        ("sharded/deferred:codec=int7", ["codec", "'int8'"]),
        ("best-split:codec=int7", ["codec", "'int7'", "int8"]),
        ("sharded/deferred:assignment=chess", ["assignment", "'checkerboard'"]),
        ("sharded/deferred:assignment=checkerboard,clouds=3", ["checkerboard", "at least 4"]),
        ("sharded/deferred:edge=cellar", ["no node 'cellar'"]),
        ("local:edge=isp", ["'isp' is not a trusted node"]),
        ("none.py:Mine", ["no file 'none.py'"]),
        ("none.py", ["name the class"]),
    ],
)
def test_a_wrong_policy_is_refused_in_one_line(
    tessera: Program, policy: str, parts: list[str]
) -> None:
    refused(tessera("simulate", SHIPPED, *QUICK, "--policy", policy), *parts)
    refused(tessera("budget", SHIPPED, *QUICK, "--policy", policy), *parts)


@pytest.mark.parametrize(
    ("text", "spec", "parts"),
    [
        (ON_EDGE, "mine.py:OffEdge", ["no class 'OffEdge' with a method plan"]),
        (ON_EDGE, "mine.py:Sketch", ["no class 'Sketch' with a method plan"]),
        (ON_EDGE, "mine.py:dataclass", ["no class 'dataclass' with a method plan"]),
        (ON_EDGE, "mine.py:OnEdge:egde=jetson", ["'egde'", "did you mean 'edge'?"]),
        (ON_EDGE, "mine.py:OnEdge:times=often", ["times", "integer"]),
        (ON_EDGE, "mine.py:OnEdge:edge=cellar", ["no node 'cellar'"]),
        (ON_EDGE, "mine.py:OnEdge:edge=isp", ["'isp' has no device"]),
        ("raise RuntimeError('first\\nsecond')", "mine.py:P", ["RuntimeError: first second"]),
        ("def broken(:", "mine.py:P", ["SyntaxError", "line 1"]),
        ("import no_such_module_at_all", "mine.py:P", ["no_such_module_at_all"]),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_refused_in_one_line(
    tessera: Program, tmp_path: Path, text: str, spec: str, parts: list[str]
) -> None:
    (tmp_path / "mine.py").write_text(text)
    ran = tessera("simulate", SHIPPED, *QUICK, "--policy", f"{tmp_path}/{spec}")
    refused(ran, *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--deadline", "0.32"], ["--deadline: '0.32' has no unit", "320ms"]),
        (["--deadline", "soon"], ["--deadline: 'soon' is no duration"]),
        (["--deadline", ""], ["--deadline: '' is no duration"]),
        (["--deadline", "0ms"], ["--deadline 0ms", "positive"]),
        (["--deadline", "-3ms"], ["--deadline", "out of range"]),
        (["--deadline", "3km"], ["--deadline", "'km' is no unit of duration"]),
        (["--quantile", "0"], ["--quantile 0", "between 0 and 1"]),
        (["--quantile", "1"], ["--quantile 1", "between 0 and 1"]),
        (["--quantile", "99"], ["--quantile 99", "between 0 and 1"]),
        (["--quantile", "nan"], ["--quantile nan", "between 0 and 1"]),
        (["--confidence", "1"], ["--confidence 1", "between 0 and 1"]),
    ],
)
def test_a_wrong_budget_is_refused_in_one_line(
    tessera: Program, arguments: list[str], parts: list[str]
) -> None:
    refused(tessera("budget", SHIPPED, *QUICK, *arguments), *parts)


def test_an_output_folder_is_never_overwritten(tessera: Program, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    refused(tessera("simulate", SHIPPED, *QUICK, "--out", str(kept)), str(kept), "exists already")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert not list(kept.iterdir())


@pytest.mark.parametrize("out", ["file/results", "file/deep/results", "made/" + "a" * 250])
def test_a_folder_that_cannot_be_made_is_refused_and_leaves_nothing(
    tessera: Program, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(tessera("simulate", SHIPPED, *QUICK, "--out", str(tmp_path / out)), "--out", out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_that_fails_half_way_leaves_no_folder(tessera: Program, tmp_path: Path) -> None:
    out = str(tmp_path / "deep" / "results")
    policies = ("--policy", "local", "--policy", "sharded/deferred:clouds=17")
    refused(tessera("simulate", SHIPPED, *QUICK, *policies, "--out", out), "17 wanted")
    assert not list(tmp_path.iterdir())


def test_the_program_itself_refuses_without_a_traceback() -> None:
    ended = subprocess.run(
        [*PROGRAM, "simulate", "jetsn"], capture_output=True, text=True, check=False
    )
    refused(Ran(ended.returncode, ended.stdout, ended.stderr), "'jetsn' is unknown")
    ended = subprocess.run([*PROGRAM, "simulat"], capture_output=True, text=True, check=False)
    refused(Ran(ended.returncode, ended.stdout, ended.stderr), "simulat")


def test_the_console_script_runs_the_same_program() -> None:
    script = shutil.which("tessera", path=str(Path(sys.executable).parent))
    assert script is not None
    ended = subprocess.run(
        [script, "list", "scenarios"], capture_output=True, text=True, check=True
    )
    assert SHIPPED in ended.stdout
    assert ended.stderr == ""


def _ignoring_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("ending", "begun_by"),
    [
        (signal.SIGINT, None),
        (signal.SIGTERM, None),
        pytest.param(signal.SIGTERM, _ignoring_interrupts, id="SIGTERM-in-the-background"),
    ],
)
def test_an_interrupted_run_says_so_and_leaves_nothing(
    tmp_path: Path, ending: signal.Signals, begun_by: Callable[[], None] | None
) -> None:
    out = tmp_path / "deep" / "results"
    endless = ("--set", "replications=1000000", "--out", str(out))
    process = subprocess.Popen(
        [*PROGRAM, "simulate", SHIPPED, *endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=begun_by,  # noqa: PLW1509 - sets a signal, and no more
    )
    try:
        while process.poll() is None and not list(tmp_path.glob("deep/.results.*/steps.parquet")):
            time.sleep(0.02)
        assert process.poll() is None
        process.send_signal(ending)
        printed, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert printed == ""
    assert complaint == "tessera: interrupted; nothing was written\n"
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        ended = subprocess.run(
            [*PROGRAM, "list", "devices"], stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    assert ended.stderr == b""


def test_without_arguments_the_program_shows_its_help(tessera: Program) -> None:
    ran = tessera()
    assert ran.status == 0
    assert ran.err == ""
    for command in ("list", "simulate", "budget", "doctor"):
        assert command in ran.out


@pytest.mark.parametrize("command", ["list", "simulate", "budget", "doctor"])
def test_the_help_of_each_command_has_an_example(tessera: Program, command: str) -> None:
    ran = tessera(command, "--help")
    assert ran.status == 0
    assert f"Example: tessera {command}" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("policies", ["local", "sharded/deferred"]),
        ("devices", ["jetson-agx-orin-64gb", "h100-sxm"]),
        ("topologies", [SHIPPED]),
        ("workloads", ["sam-vit-h"]),
        ("scenarios", [SHIPPED]),
    ],
)
def test_a_list_has_one_line_for_each(tessera: Program, kind: str, known: list[str]) -> None:
    ran = tessera("list", kind)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    names = [line.partition(": ")[0] for line in lines]
    assert all(": " in line for line in lines)
    assert len(set(names)) == len(names)
    assert set(known) <= set(names)


def test_every_figure_of_a_device_is_listed_with_its_source(tessera: Program) -> None:
    plain = tessera("list", "devices").out.splitlines()
    sourced = tessera("list", "devices", "--sources").out.splitlines()
    assert [line for line in sourced if not line.startswith("  ")] == plain
    assert len(sourced) > 4 * len(plain)


def test_simulate_prints_one_row_per_policy(tessera: Program) -> None:
    policies = ("--policy", "local", "--policy", "offload", "--policy", "local")
    ran = tessera("simulate", SHIPPED, *QUICK, *policies)
    assert (ran.status, ran.err) == (0, "")
    rows = [line for line in ran.out.splitlines() if line.startswith("│ ")]
    assert [row.split()[1] for row in rows[:2]] == ["local", "offload"]
    assert "│ local" not in "".join(rows[2:])


def test_simulate_takes_all_shipped_policies_at_once(tessera: Program) -> None:
    ran = tessera("simulate", SHIPPED, *QUICK, "--policy", "all", "--json")
    assert ran.status == 0
    listed = [line.partition(": ")[0] for line in tessera("list", "policies").out.splitlines()]
    policies = as_json(ran)["policies"]
    assert isinstance(policies, list)
    assert [policy["policy"] for policy in policies] == [p for p in listed if p in POLICIES]
    assert len(listed) > len(POLICIES)


def test_simulate_prints_one_json_object_and_nothing_else(
    tessera: Program, scenario_file: ScenarioFile
) -> None:
    ran = tessera("simulate", str(scenario_file()), "--json")
    assert ran.status == 0
    found = as_json(ran)
    assert found["scenario"] == "mine"
    assert found["topology"] == "orin-nano-4-clouds"
    assert found["deadline_s"] == pytest.approx(0.9)
    assert found["replications"] == 2


def test_one_replication_has_no_interval_and_still_makes_json(
    tessera: Program, scenario_file: ScenarioFile
) -> None:
    path = str(scenario_file())
    found = as_json(tessera("simulate", path, "--set", "replications=1", "--json"))
    (policy,) = found["policies"]  # type: ignore[misc]
    assert policy["metrics"]["p99_s"]["mean"] > 0
    assert policy["metrics"]["p99_s"]["low"] is None


def test_simulate_writes_a_whole_result_folder(tessera: Program, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results"
    ran = tessera("simulate", SHIPPED, *QUICK, "--out", str(out))
    assert (ran.status, ran.err) == (0, "")
    assert str(out) in ran.out
    assert sorted(path.name for path in out.iterdir()) == [
        "exposure.parquet",
        "holdings.parquet",
        "incidents.parquet",
        "links.parquet",
        "manifest.json",
        "nodes.parquet",
        "requests.parquet",
        "steps.parquet",
        "timeline.json",
        "topology.yaml",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["results"]


def test_a_policy_of_the_users_own_is_run(tessera: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ON_EDGE)
    once, twice = f"{tmp_path}/mine.py:OnEdge", f"{tmp_path}/mine.py:OnEdge:times=2,edge=jetson"
    calm = ("--set", "workload.arrivals={kind: camera, rate_per_s: 0.1}")
    ran = tessera("simulate", SHIPPED, *QUICK, *calm, "--policy", once, "--policy", twice, "--json")
    assert ran.status == 0
    first, second = as_json(ran)["policies"]  # type: ignore[misc]
    assert [first["policy"], second["policy"]] == [once, twice]
    assert second["metrics"]["p50_s"]["mean"] == pytest.approx(
        2 * first["metrics"]["p50_s"]["mean"]
    )
    assert first["metrics"]["bytes_up"]["mean"] == 0


def test_a_policy_that_answers_at_once_is_no_trouble(tessera: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from sim.plan import Plan\nclass P:\n    def plan(self, *_):\n        return Plan(())\n"
    )
    policy = ("--policy", f"{tmp_path}/mine.py:P")
    out = tmp_path / "results"
    assert tessera("simulate", SHIPPED, *QUICK, *policy, "--out", str(out)).status == 0
    assert as_json(tessera("simulate", SHIPPED, *QUICK, *policy, "--json"))
    assert as_json(tessera("budget", SHIPPED, *QUICK, *policy, "--json"))


CERTAIN = ("--set", "replications=2", "--set", "workload.requests=60", "--quantile", "0.5")


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--deadline", "10s", *CERTAIN), 0, "HOLDS"),
        (("--deadline", "1ms", *CERTAIN), 1, "DOES NOT HOLD"),
        (("--deadline", "10s", *CERTAIN, "--quantile", "0.99"), 3, "299 requests are needed"),
    ],
)
@pytest.mark.parametrize("policy", ["local", "sharded/deferred"])
def test_budget_tells_its_answer_by_its_exit_status(
    tessera: Program, policy: str, arguments: tuple[str, ...], status: int, word: str
) -> None:
    ran = tessera("budget", SHIPPED, "--policy", policy, *arguments)
    assert (ran.status, ran.err) == (status, "")
    assert word in ran.out
    assert "total" in ran.out


def test_budget_takes_its_deadline_from_the_scenario(
    tessera: Program, scenario_file: ScenarioFile
) -> None:
    found = as_json(tessera("budget", str(scenario_file()), "--json"))
    assert found["deadline_s"] == pytest.approx(0.9)
    assert found["answer"] in ("missed", "undecided")
    assert found["samples"] == 20


def test_doctor_finds_this_machine_usable(tessera: Program) -> None:
    ran = tessera("doctor")
    assert (ran.status, ran.err) == (0, "")
    for what in ("Python", "simpy", "network namespaces"):
        assert what in ran.out
