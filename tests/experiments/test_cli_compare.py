"""``tessera compare`` on a tiny scenario: real workers on this machine, paced and without a model.

What errors come out depends on the machine; that they come out, and decide, does not.
"""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.conftest import Program

WORLD = """\
name: pair
nodes:
  - {name: edge, role: edge, device: raspberry-pi-5}
  - {name: a, role: cloud, device: t4, provider: one}
  - {name: b, role: cloud, device: t4, provider: two}
links:
  - {source: edge, target: a, rate: 1Gbit/s, delay: 1ms}
  - {source: edge, target: b, rate: 1Gbit/s, delay: 1ms}
"""
SCENARIO = """\
topology: world.yaml
workload:
  model: sam-small
  precision: fp32
  arrivals: {kind: closed, clients: 1}
  requests: 4
policy: sharded/exact:clouds=2
deadline: 1s
replications: 1
warm_up: 1
real: {default: {executor: synthetic}}
"""
EVEN = "assignment=round-robin"
TRAIN = tuple(
    word
    for spec in ("local", f"sharded/exact:{EVEN},clouds=1", f"sharded/deferred:{EVEN}")
    for word in ("--train", spec)
)
LOOSE = ("--tolerance", "99%", "--tolerance-p50", "99%")


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    (tmp_path / "world.yaml").write_text(WORLD, encoding="utf-8")
    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)


def test_both_worlds_are_run_and_the_verdict_comes_first(
    tessera: Program, scenario: str, tmp_path: Path
) -> None:
    out = tmp_path / "results" / "fidelity"
    ran = tessera("compare", scenario, *TRAIN, *LOOSE, "--out", str(out))
    assert ran.err == ""
    first, *_ = ran.out.splitlines()
    assert first.startswith("WITHIN" if ran.status == 0 else "OUTSIDE")
    assert "sharded/exact:clouds=2" in ran.out
    report = json.loads((out / "errors.json").read_text(encoding="utf-8"))
    assert report["within"] is (ran.status == 0)
    assert [each["policy"] for each in report["tested"]] == ["sharded/exact:clouds=2", "all"]
    assert report["tested"][0]["errors"]["matched"] == 1.0
    assert {row["kind"] for row in report["tested"][0]["errors"]["kinds"]} == {
        "compute",
        "transfer",
    }
    worlds = {name: set(pd.read_parquet(out / name / "steps.parquet")["world"])
              for name in ("sim", "real-1", "real-2")}  # fmt: skip
    assert worlds == {"sim": {"sim"}, "real-1": {"real"}, "real-2": {"real"}}
    assert list(out.parent.iterdir()) == [out]


def test_outside_tolerance_the_status_is_one_and_the_misses_are_named(
    tessera: Program, scenario: str
) -> None:
    ran = tessera("compare", scenario, *TRAIN, "--tolerance", "0.0001%", "--json")
    assert ran.status == 1
    report = json.loads(ran.out)
    assert report["within"] is False
    assert any("0% allowed" in each for each in report["missed"])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--train", "sharded/exact:clouds=2"), "both fitted to and predicted"),
        (("--train", "local"), "runs 'sam."),
        (("--tolerance", "10"), "give a percentage"),
        (("--links", "wire"), "wire"),
        (("--dilation", "0.5"), "--dilation '0.5': give a factor of at least 1, e.g. 10, or auto"),
        (("--dilation", "slow"), "--dilation 'slow': give a factor of at least 1"),
        (("--dilation", "nan"), "--dilation 'nan': give a factor of at least 1"),
        (("--tolerance-p99", "10"), "--tolerance-p99 '10': give a percentage"),
        (("--policy", "sharded/exakt"), "did you mean 'sharded/exact'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_run(
    tessera: Program, scenario: str, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    out = tmp_path / "never"
    ran = tessera("compare", scenario, *options, "--out", str(out))
    assert ran.status == 2
    assert complaint in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.yaml", "world.yaml"]


def test_results_are_not_written_over(tessera: Program, scenario: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    ran = tessera("compare", scenario, *TRAIN, "--out", str(tmp_path / "there"))
    assert ran.status == 2
    assert "exists already" in ran.err
