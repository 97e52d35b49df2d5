"""``tessera credentials``: what external workers and the orchestrator know each other by."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Annotated

import typer
import yaml

from experiments.cli.options import ScenarioName
from experiments.extras import needs
from experiments.scenarios.loader import load
from real_runner.errors import RealRunError

ORCHESTRATOR_FOLDER = "orchestrator"
INVENTORY = "inventory.yaml"
FIRST_PORT = 7001


def credentials(
    scenario: ScenarioName,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder that is not there.")],
    days: Annotated[int, typer.Option(help="How long the certificates are valid.")] = 7,
) -> None:
    """Make an authority, a certificate per node of a scenario, and an inventory to fill in.

    Example: tessera credentials small-sam --out keys
    """
    if days < 1:
        raise RealRunError(f"--days {days}: give at least 1")
    if out.exists():
        raise RealRunError(f"--out {out}: exists already; choose another folder")
    topology = load(scenario).topology
    nodes = [node.name for node in topology.nodes if node.role != "router"]
    try:
        issue(out, nodes, days)
        _write_inventory(out / INVENTORY, nodes)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    print(f"Copy {out}/NODE to each machine and start: ", end="")
    print("tessera worker --listen HOST:PORT --credentials NODE")
    print(f"Write the addresses into {out / INVENTORY}; then: ", end="")
    print(
        f"tessera run {scenario} --links external --inventory {out / INVENTORY} "
        f"--credentials {out / ORCHESTRATOR_FOLDER}"
    )


def issue(out: Path, nodes: list[str], days: int) -> None:
    """Write a folder per node and one for the orchestrator, signed by an authority of their own."""
    with needs("real"):
        from real_runner.control.messages import ORCHESTRATOR  # noqa: PLC0415
        from real_runner.wire.authority import Authority  # noqa: PLC0415
    valid = dt.timedelta(days=days)
    authority = Authority.create(valid)
    for node in nodes:
        authority.issue(node, valid).save(out / node)
    authority.issue(ORCHESTRATOR, valid).save(out / ORCHESTRATOR_FOLDER)


def _write_inventory(path: Path, nodes: list[str]) -> None:
    workers = {node: f"127.0.0.1:{FIRST_PORT + index}" for index, node in enumerate(nodes)}
    try:
        path.write_text(yaml.safe_dump({"workers": workers}, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise RealRunError(
            f"--out {path}: {error.strerror}; make room, or choose another folder"
        ) from error
