"""Folders of every kind, each written once, by what users write them with."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
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
from tests.experiments.few import PROTOCOL
from tests.experiments.fidelity.conftest import SMALL, Elsewhere, Law
from tests.experiments.reports.browsing import browsing
from workloads.catalogue import model_named

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
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search with a limit that some of its cells break."""
    pytest.importorskip("optuna", reason="pip install 'tessera[search]'")
    out = tmp_path_factory.mktemp("reported") / "searched"
    policy = ["--policy", "sharded/deferred:clouds={clouds},codec={codec}"]
    over = ["--over", "clouds=2..16", "--over", "codec=fp16,int8", "--trials", "6"]
    few = settings("replications=2", "workload.requests=40", "warm_up=10")
    asked = ["search", "jetson-16-clouds", *policy, *over, *few, "--workers", "1"]
    assert status_of([*asked, "--subject-to", "pixels<=30%", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers by chance for a small SAM, and a protocol of few pictures with its thresholds."""
    if not find_spec("torchmetrics"):
        pytest.skip("pip install 'tessera[lab]'")
    from real_runner.shards import weights
    from real_runner.shards.saving import save

    folder = tmp_path_factory.mktemp("places")
    (folder / "few.yaml").write_text(PROTOCOL, encoding="utf-8")
    save(weights.drawn(model_named("sam-small").variant, 0), folder / "w.safetensors")
    assert alone(["privacy", "small-sam", "--protocol", str(folder / "few.yaml"), "--freeze"]) == 0
    return folder


def alone(command: list[str]) -> int:
    """Return the status of a command of the laboratory on one thread."""
    from tests.computing import one_thread

    with one_thread():
        return status_of(command)


def attacking(command: str, places: Path) -> list[str]:
    """Return a command on two designs, one of which nobody can attack."""
    given = ["--protocol", str(places / "few.yaml"), "--weights", str(places / "w.safetensors")]
    policies = ["--policy", "sharded/exact:assignment=round-robin", "--policy", "local"]
    return [command, "small-sam", *given, *policies]


@pytest.fixture(scope="session")
def examined(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Path:
    """Accuracy, of one split that is the same function, one that is not, and one that is none."""
    out = tmp_path_factory.mktemp("reported") / "examined"
    specs = ("sharded/exact:codec=fp32", "sharded/deferred:codec=int4", "sharded/exact:clouds=99")
    named = [word for spec in specs for word in ("--policy", spec)]
    weights = ["--weights", str(places / "w.safetensors"), "--scenes", "3"]
    assert alone(["accuracy", "small-sam-16", *named, *weights, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Path:
    """Attacks on pictures."""
    out = tmp_path_factory.mktemp("reported") / "attacked"
    assert alone([*attacking("privacy", places), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def designed(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Path:
    """Designs side by side."""
    out = tmp_path_factory.mktemp("reported") / "designed"
    more = ["--scenes", "3", "--timing", "small-sam", "--out", str(out)]
    assert alone([*attacking("tradeoff", places), *more]) == 0
    return out


@pytest.fixture(scope="session")
def heard(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Path:
    """Attacks on texts."""
    out = tmp_path_factory.mktemp("reported") / "heard"
    asked = ["privacy", "small-llama", "--protocol", str(places / "few.yaml")]
    assert alone([*asked, "--policy", "lambda-split:codec=int8", "--out", str(out)]) == 0
    return out


KINDS = (
    "results", "certified", "swept", "compared", "searched", "examined", "attacked", "designed",
    "heard",
)  # fmt: skip


@pytest.fixture(scope="session")
def pages(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Path]:
    """The page of each kind of folder."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for kind in KINDS:
        found[kind] = folder / f"{kind}.html"
        page.write(reading.read(request.getfixturevalue(kind)), found[kind])
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real browser, of one module: while it runs no other test can have an event loop."""
    with browsing() as found:
        yield found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found
