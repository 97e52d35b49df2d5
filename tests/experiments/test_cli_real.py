"""``tessera run``, ``worker`` and ``credentials`` as a user meets them."""

import json
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml

pytest.importorskip("grpc", reason="pip install 'tessera[real]'")

from experiments.cli.main import status_of
from tests.complaints import refused
from tests.experiments.conftest import Program, Ran
from tests.limits import no_file_above
from tests.real_runner.programs import (
    groups_there,
    processes_of,
    running,
    runs_in,
    settings,
    wait_until,
)
from workloads.sam.variants import Variant

SYNTHETIC = ("--set", "real.default={executor: synthetic}")
NODES = ("pi", "aws-micro", "gcp-micro", "azure-b1", "oracle-micro")
OTHER_VARIANT = Variant("tiny", 48, 4, 3, (1, 3), window_tokens=4, image_px=256)
ONE, OTHER = "gcp-micro", "aws-micro"


@pytest.fixture(autouse=True)
def temporary(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder for temporary files; a run leaves nothing in it, whatever became of it."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert runs_in(folder) == []


def test_a_run_writes_the_simulators_schema_and_prints_one_object(
    tessera: Program, tmp_path: Path
) -> None:
    out = tmp_path / "real"
    policies = ("--policy", "sharded/prefix", "--policy", "local")
    ran = tessera("run", "small-sam", *settings(), *policies, "--out", str(out), "--json")
    assert (ran.status, ran.err) == (0, "")
    printed = json.loads(ran.out)
    assert (printed["world"], printed["links"], printed["failed"]) == ("real", "loopback", 0)
    assert [row["policy"] for row in printed["policies"]] == ["sharded/prefix", "local"]
    simulated = tmp_path / "sim"
    assert (
        tessera("simulate", "small-sam", *settings(), *policies, "--out", str(simulated)).status
        == 0
    )
    there = sorted(path.name for path in simulated.iterdir())
    assert sorted(path.name for path in out.iterdir()) == there
    for table in simulated.glob("*.parquet"):
        ours, theirs = pd.read_parquet(out / table.name), pd.read_parquet(table)
        assert list(ours.columns) == list(theirs.columns), table.name
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["world"] == "real"
    assert (manifest["links"], manifest["secure"]) == ("loopback", True)
    assert set(manifest["workers"]) == set(NODES)
    assert all("torch" in versions for versions in manifest["workers"].values())
    assert manifest["scenario"]["real"]["default"]["executor"] == "torch"
    steps = pd.read_parquet(out / "steps.parquet")
    assert set(steps["world"]) == {"real"}


def test_without_json_it_says_what_the_figures_mean(tessera: Program) -> None:
    ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, "--insecure")
    assert ran.status == 0
    assert "For real: 5 workers, loopback links, unshaped" in ran.out


def test_a_request_that_fails_gives_status_1(tessera: Program, tmp_path: Path) -> None:
    each = ", ".join(f"{{node: {node}, at: 0s, fault: crash}}" for node in NODES)
    crashes = f"{{schedule: [{each}], plans: 1}}"
    out = tmp_path / "failed"
    ran = tessera(
        "run", "small-sam", *settings(), *SYNTHETIC, "--set", f"faults={crashes}",
        "--policy", "offload", "--json", "--out", str(out),
    )  # fmt: skip
    assert ran.status == 1
    printed = json.loads(ran.out)
    assert printed["failed"] == 2
    assert printed["incidents"] == {"crash": len(NODES)}
    assert (out / "manifest.json").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--set", "real.nodes={pj: {}}"], ["real.nodes", "'pj'", "'pi'"]),
        (["--set", "real.default.executor=magic"], ["real.default.executor", "magic", "synthetic"]),
        (["--set", "real.default.threads=0"], ["real.default.threads", "0"]),
        (["--set", "real.default.cpus=[99]"], ["cpus", "[99]", "this machine has"]),
        (["--set", "real.default.cpus=[0, 99]"], ["cpus", "[0, 99]", "this machine has"]),
        (["--set", "real.default.cpus=[-1]"], ["real.default.cpus", "-1"]),
        (["--set", "real.default.cpu_quota=0.01"], ["cpu_quota", "0.01"]),
        (["--set", "real.weights=none.pth"], ["none.pth", "no such file"]),
        (["--set", "real.wait=1"], ["real.wait: unknown key"]),
        (["--set", "real.default.device=cuda"], ["cuda", "cpu"]),
        (["--set", "faults={schedule: [{link: 'pi->*', at: 0s, fault: degrade, factor: 0.5}]}"],
         ["degrade", "simulate"]),
        (["--set", "faults={schedule: [{node: nobody, at: 0s, fault: crash}]}"], ["nobody"]),
        (["--set", "workload.model=llama-3.2-1b"], ["llama-3.2-1b"]),
        (["--links", "external"], ["--inventory"]),
        (["--inventory", "x.yaml"], ["--inventory x.yaml", "loopback"]),
        (["--credentials", "x"], ["--credentials x", "loopback"]),
        (["--links", "mininets"], ["--links", "mininets"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_what_cannot_be_run_for_real_is_refused_in_one_line(
    tessera: Program, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    out = tmp_path / "new" / "results"
    refused(tessera("run", "small-sam", *settings(), *arguments, "--out", str(out)), *parts)
    assert not out.parent.exists()


def test_a_checkpoint_of_another_variant_is_refused(tessera: Program, tmp_path: Path) -> None:
    weights = pytest.importorskip("real_runner.shards.weights")
    other = tmp_path / "tiny.safetensors"
    weights.save(weights.drawn(OTHER_VARIANT, seed=1), other)
    refused(tessera("run", "small-sam", *settings(), "--set", f"real.weights={other}"), str(other))


def test_a_full_disk_is_told_in_one_line(tessera: Program) -> None:
    with no_file_above(1 << 16):
        ran = tessera("run", "small-sam", *settings())
    refused(ran, "weights.safetensors: cannot be written", "make room", "TMPDIR")


@pytest.mark.parametrize(
    ("scenario", "most_bytes", "file"),
    [("small-sam", 100, "pem.part"), ("metro-200", 1000, "inventory.yaml")],
)
def test_credentials_that_find_no_room_leave_nothing(
    tessera: Program, tmp_path: Path, scenario: str, most_bytes: int, file: str
) -> None:
    with no_file_above(most_bytes):
        ran = tessera("credentials", scenario, "--out", str(tmp_path / "keys"))
    refused(ran, str(tmp_path / "keys"), f"{file}: File too large", "make room")
    assert list(tmp_path.iterdir()) == []


def test_serving_that_only_a_simulator_has_is_refused(tessera: Program, tmp_path: Path) -> None:
    shipped = resources.files("topologies") / "shipped" / "small-sam.yaml"
    document = yaml.safe_load(shipped.read_text())
    document["nodes"][-1]["serving"] = {"discipline": "processor-sharing"}
    (tmp_path / "served.yaml").write_text(yaml.safe_dump(document))
    ran = tessera("run", "small-sam", *settings(topology=str(tmp_path / "served.yaml")))
    refused(ran, "serving", "simulate it")


# External workers.


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Site:
    """Five workers on five loopback addresses, and what the orchestrator knows of them."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.keys = keys
        self.inventory = folder / "inventory.yaml"
        self.addresses = {
            node: f"127.0.0.{2 + number}:{free_port()}" for number, node in enumerate(NODES)
        }
        self._folder = folder
        self._stack = ExitStack()
        self.workers: dict[str, Any] = {}

    def start(self, node: str, keys: Path | None = None) -> None:
        """Start a node's worker, with its own credentials or others."""
        options = ("--credentials", str(keys or self.keys / node))
        worker = running(
            "worker", "--listen", self.addresses[node], *options,
            temporary=self._folder, errors=self._folder / f"{node}.err",
        )  # fmt: skip
        self.workers[node] = self._stack.enter_context(worker)

    def stop(self, node: str) -> None:
        self.workers.pop(node).kill()

    def announced(self) -> None:
        """Wait until all say where they listen."""
        for node, worker in self.workers.items():
            line = worker.stdout.readline()
            assert line.endswith(f"listens at {self.addresses[node]}\n"), line

    def write(self, **changes: str | None) -> None:
        """Write the inventory; ``changes`` are addresses that are other than they should be."""
        there = {**self.addresses, **{name.replace("_", "-"): v for name, v in changes.items()}}
        workers = {node: address for node, address in there.items() if address}
        self.inventory.write_text(yaml.safe_dump({"workers": workers}))

    @property
    def options(self) -> tuple[str, ...]:
        keys = str(self.keys / "orchestrator")
        inventory = str(self.inventory)
        return ("--links", "external", "--inventory", inventory, "--credentials", keys)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    assert status_of(["credentials", "small-sam", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), keys)
    for node in NODES:
        made.start(node)
    try:
        made.announced()
        made.write()
        yield made
    finally:
        made.close()


def test_credentials_come_with_an_inventory_and_are_for_one_user(
    tessera: Program, keys: Path
) -> None:
    assert sorted(path.name for path in keys.iterdir()) == sorted(
        [*NODES, "orchestrator", "inventory.yaml"]
    )
    assert list(yaml.safe_load((keys / "inventory.yaml").read_text())["workers"]) == list(NODES)
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys.glob("*/key.pem"))
    refused(tessera("credentials", "small-sam", "--out", str(keys)), "exists already")
    refused(tessera("credentials", "small-sam", "--out", "x", "--days", "0"), "--days 0")


def test_external_workers_serve_one_run_after_the_other(tessera: Program, site: Site) -> None:
    for executor in ("torch", "synthetic", "torch"):
        ran = tessera(
            "run", "small-sam", *settings(), *site.options, "--json",
            "--set", f"real.default.executor={executor}",
        )  # fmt: skip
        assert (ran.status, ran.err) == (0, ""), ran
        printed = json.loads(ran.out)
        assert (printed["links"], printed["failed"]) == ("external", 0)
        assert all(worker.poll() is None for worker in site.workers.values())


def test_a_node_that_the_inventory_lacks_is_named(tessera: Program, site: Site) -> None:
    try:
        site.write(gcp_micro=None)
        refused(
            tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options),
            "gcp-micro'", "inventory", OTHER,
        )  # fmt: skip
    finally:
        site.write()
    assert tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options).status == 0


def test_an_inventory_of_nonsense_is_refused(tessera: Program, site: Site, tmp_path: Path) -> None:
    for text in ("workers: [1]", "worker: {}", "- x", "workers: {pi: 7}"):
        (tmp_path / "bad.yaml").write_text(text)
        options = [
            str(tmp_path / "bad.yaml") if o == str(site.inventory) else o for o in site.options
        ]
        refused(tessera("run", "small-sam", *settings(), *SYNTHETIC, *options), "bad.yaml")


@pytest.mark.parametrize("fault", ["crash", "hang"])
def test_faults_of_processes_that_are_not_ours_are_refused(
    tessera: Program, site: Site, fault: str
) -> None:
    faults = f"faults={{schedule: [{{node: gcp-micro, at: 0s, fault: {fault}}}]}}"
    ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options, "--set", faults)
    refused(ran, fault, ONE, "external")


def test_a_quota_for_a_process_that_is_not_ours_is_refused(tessera: Program, site: Site) -> None:
    quota = ("--set", "real.default.cpu_quota=0.5")
    ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *quota, *site.options)
    refused(ran, "cpu_quota", "external")


def test_a_worker_that_another_orchestrator_commands_is_not_to_be_had(
    tessera: Program, site: Site, tmp_path: Path
) -> None:
    long = settings(workload__requests="100000")
    with running("run", "small-sam", *long, *SYNTHETIC, *site.options, temporary=tmp_path) as first:
        wait_until(lambda: set(site.addresses.values()) <= reached_by(first.pid))
        time.sleep(0.5)
        ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options)
        refused(ran, "another orchestrator is here")
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        assert first.wait(15) == 130
    assert tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options).status == 0


def reached_by(pid: int) -> set[str]:
    """Return the addresses that a process is connected to."""
    there = psutil.Process(pid).net_connections()
    return {
        f"{each.raddr.ip.removeprefix('::ffff:')}:{each.raddr.port}" for each in there if each.raddr
    }


@contextmanager
def replaced(site: Site, node: str, keys: Path | None) -> Iterator[None]:
    """Have a node's worker started with other credentials, or not at all."""
    site.stop(node)
    if keys is not None:
        site.start(node, keys)
        assert site.workers[node].stdout.readline()
    try:
        yield
    finally:
        if keys is not None:
            site.stop(node)
        site.addresses[node] = f"{site.addresses[node].partition(':')[0]}:{free_port()}"
        site.start(node)
        assert site.workers[node].stdout.readline()
        site.write()


def test_a_worker_with_another_nodes_credentials_is_found_out(tessera: Program, site: Site) -> None:
    with replaced(site, ONE, site.keys / OTHER):
        ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options)
        refused(ran, "gcp-micro'", "credentials")
    assert tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options).status == 0


def test_a_worker_of_another_authority_is_found_out(
    tessera: Program, site: Site, tmp_path: Path
) -> None:
    assert tessera("credentials", "small-sam", "--out", str(tmp_path / "other")).status == 0
    with replaced(site, ONE, tmp_path / "other" / ONE):
        ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options)
        refused(ran, "gcp-micro'", "credentials")


def test_a_worker_that_is_not_started_is_named(
    tessera: Program, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("real_runner.fleet.connection.REACH_TIMEOUT_S", 1.0)
    with replaced(site, ONE, None):
        ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *site.options)
        refused(ran, "gcp-micro'", "is its worker running?")


def test_an_orchestrator_with_a_nodes_credentials_commands_nobody(
    tessera: Program, site: Site
) -> None:
    options = [str(site.keys / OTHER) if "orchestrator" in o else o for o in site.options]
    ran = tessera("run", "small-sam", *settings(), *SYNTHETIC, *options)
    refused(ran, "only 'orchestrator' commands workers, not 'aws-micro'")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["--listen"]),
        (["--listen", "7001", "--insecure"], ["--listen '7001'", "HOST:PORT"]),
        (["--listen", "here:seven", "--insecure"], ["'here:seven'"]),
        (["--listen", "127.0.0.1:70000", "--insecure"], ["70000"]),
        (["--listen", "127.0.0.1:0"], ["--credentials", "--insecure"]),
        (["--listen", "127.0.0.1:0", "--credentials", "/none"], ["/none", "No such file"]),
        (["--listen", "192.0.2.1:7001", "--insecure"], ["192.0.2.1:7001"]),
    ],
)
def test_a_worker_that_cannot_be_is_refused_in_one_line(
    tessera: Program, arguments: list[str], parts: list[str]
) -> None:
    refused(tessera("worker", *arguments), *parts)


def test_two_workers_cannot_share_an_address(tessera: Program, site: Site) -> None:
    address = site.addresses[OTHER]
    ran = tessera("worker", "--listen", address, "--credentials", str(site.keys / OTHER))
    refused(ran, address)


def test_two_runs_at_once_do_not_touch_each_other(tessera: Program, temporary: Path) -> None:
    long = settings(workload__requests="100000")
    with running("run", "small-sam", *long, *SYNTHETIC, temporary=temporary) as other:
        for _ in range(3):
            assert tessera("run", "small-sam", *settings(), *SYNTHETIC).status == 0
        assert other.poll() is None
        (run,) = runs_in(temporary)
        other.send_signal(signal.SIGTERM)
        assert other.wait(15) == 130
        assert not processes_of(run)
        assert not groups_there(run)


def test_clean_refuses_a_folder_that_is_not_there(tessera: Program, tmp_path: Path) -> None:
    half = tmp_path / ".mine.999999999.partial"
    half.mkdir()
    refused(tessera("clean", str(tmp_path), "/nonexistent"), "/nonexistent: no such folder")
    assert half.exists()


def test_clean_says_so_where_there_is_nothing(tessera: Program, tmp_path: Path) -> None:
    assert tessera("clean", str(tmp_path)) == Ran(0, "nothing to clean\n", "")
    half = tmp_path / ".mine.999999999.partial"
    half.mkdir()
    kept = tmp_path / ".mine.1.partial"
    kept.mkdir()
    assert tessera("clean", str(tmp_path)).out == f"{half}: removed\n"
    assert kept.exists()
    shutil.rmtree(kept)
