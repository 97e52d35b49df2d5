"""Folders of every kind, each written once, by what users write them with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from experiments.cli import compare as comparing
from experiments.cli.main import status_of
from experiments.fidelity.experiment import Experiment
from experiments.fidelity.verdict import Tolerance, misses
from experiments.reports import page, reading
from experiments.scenarios.loader import build, read_scenario, scenario_path
from real_runner.deployment import Deployment
from real_runner.links.certificate import Certificate, Check
from tests.experiments.fidelity.conftest import SMALL, Elsewhere, Law
from tests.experiments.reports.browsing import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

POLICIES = ("local", "offload", "sharded/deferred:assignment=round-robin,hedge=1.5")
FEW = ("replications=3", "workload.requests=120", "warm_up=10")


def settings(*each: str) -> list[str]:
    return [word for setting in each for word in ("--set", setting)]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three policies on one topology, simulated; one of them holds the deadline."""
    out = tmp_path_factory.mktemp("reported") / "results"
    named = [word for policy in POLICIES for word in ("--policy", policy)]
    asked = ["simulate", "jetson-16-clouds", *named, *settings(*FEW), "--out", str(out)]
    assert status_of(asked) == 0
    return out


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single replication, with a certificate in its manifest as emulated links leave one."""
    out = tmp_path_factory.mktemp("reported") / "certified"
    few = settings("replications=1", "workload.requests=40", "warm_up=0")
    assert status_of(["simulate", "orin-nano-4-clouds", *few, "--out", str(out)]) == 0
    checks = (
        Check("edge->a", "round trip", "s", 0.01, 0.0101, 0.0095, 0.0105),
        Check("edge->a", "goodput", "bit/s", 1e7, 5e6, 9.7e6, 1.03e7),
    )
    measured = Certificate(
        "userspace", "6.1", False, {"bbr": 6}, "none", "seeded", checks, {"edge->a": ("edge->b",)}
    )
    path = out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["link_certificate"] = measured.document()
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over three axes, of which one policy names two; some cells fail."""
    out = tmp_path_factory.mktemp("reported") / "swept"
    few = settings("replications=2", "workload.requests=40", "warm_up=10")
    policies = ["--policy", "sharded/deferred:clouds={clouds},codec={codec}", "--policy", "local"]
    axes = ["--axis", "clouds=2,4,17", "--axis", "codec=fp16,int8"]
    rates = ["--axis", "workload.arrivals.rate_per_s=0.5,4"]
    asked = ["sweep", "jetson-16-clouds", *policies, *axes, *rates, *few, "--workers", "1"]
    assert status_of([*asked, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison, with a world of other parameters standing in for the real one."""
    out = tmp_path_factory.mktemp("reported") / "compared"
    path = scenario_path("orin-nano-4-clouds")
    document = read_scenario(path, [*SMALL, "replications=2"])
    train, test = (
        [build(document, path, policy) for policy in policies]
        for policies in (
            ("local", "sharded/deferred:assignment=round-robin", "sharded/exact:clouds=2"),
            ("sharded/prefix:clouds=3", "sharded/exact:clouds=4"),
        )
    )
    plain = document.model_dump(mode="json")
    experiment = Experiment(train, test, Deployment(), Elsewhere(Law(), cv=0.2), plain)
    found = experiment.conduct(out)
    allowed = Tolerance()
    contents = comparing._as_json(path.stem, found, allowed, misses(found, allowed))
    (out / "errors.json").write_text(json.dumps(contents), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def pages(
    tmp_path_factory: pytest.TempPathFactory,
    results: Path,
    certified: Path,
    swept: Path,
    compared: Path,
) -> dict[str, Path]:
    """The page of each kind of folder."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for kept in (results, certified, swept, compared):
        found[kept.name] = folder / f"{kept.name}.html"
        page.write(reading.read(kept), found[kept.name])
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real browser, of one module: while it runs no other test can have an event loop."""
    with browsing() as found:
        yield found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found
