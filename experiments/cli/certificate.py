"""``tessera certificate``: what the links of a run were, as measured before and after it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from experiments.cli.options import show
from sim.errors import ScenarioError


def certificate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder.")],
) -> None:
    """Print the certificate of the links that a result folder's run had.

    Example: tessera certificate results/first
    """
    print_certificate(read_certificate(folder))


def read_certificate(folder: Path) -> Mapping[str, Any]:
    """Return the certificate in a result folder; `ScenarioError` where there is none."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}; name a result folder") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: no JSON: {error}; name a result folder") from error
    found = manifest.get("link_certificate") if isinstance(manifest, dict) else None
    if found is None:
        raise ScenarioError(
            f"{path}: no certificate: this run had no emulated links; use "
            "tessera run SCENARIO --links auto --out DIR"
        )
    return dict(found)


def print_certificate(document: Mapping[str, Any]) -> None:
    """Print a certificate that was turned into plain data: what was measured, and how links did."""
    show(_table(document["checks"]))
    for first, others in document["alike"].items():
        if others:
            show(f"Like {first}: {', '.join(others)}")
    words = ", ".join(f"{word} ({n} pairs)" for word, n in document["congestion"].items())
    priority = "with" if document["realtime"] else "without"
    show(
        f"{document['backend']} links, kernel {document['kernel']}, {priority} real-time priority",
        f"congestion control: {words}",
    )
    show(*(f"{key}: {document[key]}" for key in ("offloads", "losses") if key in document))
    if report := document["report"]:
        show(_report(report, document["device_drops"]))
    show(*(f"REFUSED: {each}" for each in document["problems"]))


def _table(checks: list[Mapping[str, Any]]) -> Table:
    table = Table(title="Links, each kind measured alone")
    for name in ("link", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("measured", "expected", "least", "most"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for check in checks:
        figures = [check[name] for name in ("measured", "expected", "least", "most")]
        holds = check["least"] <= check["measured"] <= check["most"]
        told = [measured(each, check["unit"]) for each in figures]
        table.add_row(check["channel"], check["what"], *told, "holds" if holds else "DOES NOT HOLD")
    return table


def measured(value: float, unit: str) -> str:
    """Return a figure of a check in the unit that people read."""
    if unit == "s":
        return f"{value * 1e3:.3f} ms"
    if unit == "bit/s":
        return f"{value * 1e-6:.2f} Mbit/s"
    return f"{value:.2%}"


def _report(report: Mapping[str, Any], device_drops: int) -> str:
    lateness = ", ".join(
        f"{name} {report[key] * 1e3:.3f} ms"
        for name, key in (("p50", "late_p50_s"), ("p99", "late_p99_s"), ("most", "late_max_s"))
        if report.get(key) is not None
    )
    told = f" late by {lateness};" if lateness else ""
    delivered = report.get("delivered_packets")
    return f"in the run: {delivered} packets,{told} {device_drops} lost before they reached a link"
