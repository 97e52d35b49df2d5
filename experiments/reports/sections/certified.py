"""The link certificate: what emulated links were, as measured before and after the run."""

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.cli.certificate import measured
from experiments.reports.kept import Kept
from experiments.reports.values import Cell, Mark, Section, Table


def section(kept: Kept) -> Section | None:
    """Return the certificate of a folder that has one."""
    document = kept.manifest.get("link_certificate")
    if document is None:
        return None
    columns = ("link", "what", "measured", "expected", "least", "most", "verdict")
    rows = tuple(_row(check) for check in document["checks"])
    words = ("link", "what", "verdict")
    table = Table("Links, each kind measured alone", columns, rows, "", words)
    return Section("certificate", "Link certificate", tuple(_prose(document)), (table,))


def _row(check: Mapping[str, Any]) -> tuple[Cell, ...]:
    holds = check["least"] <= check["measured"] <= check["most"]
    mark = Mark("holds", "good") if holds else Mark("does not hold", "bad")
    figures = [
        measured(check[name], check["unit"]) for name in ("measured", "expected", "least", "most")
    ]
    return (check["channel"], check["what"], *figures, mark)


def _prose(document: Mapping[str, Any]) -> Iterator[str]:
    priority = "with" if document["realtime"] else "without"
    yield (
        f"{document['backend']} links, kernel {document['kernel']}, {priority} real-time priority; "
        f"times on the wall, where everything lasts {document['dilation']:g} times as long."
    )
    for first, others in document["alike"].items():
        if others:
            yield f"Like {first}: {', '.join(others)}."
    for problem in document["problems"]:
        yield f"Refused: {problem}"
