"""`tessera certificate` prints what a result folder says of its links."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.conftest import Program

HOLDS = {
    "channel": "edge->a", "what": "round trip", "unit": "s",
    "expected": 0.01, "measured": 0.0101, "least": 0.0095, "most": 0.0105,
}  # fmt: skip
DOES_NOT = {
    "channel": "edge->a", "what": "goodput", "unit": "bit/s",
    "expected": 1e7, "measured": 5e6, "least": 9.7e6, "most": 1.03e7,
}  # fmt: skip
CERTIFICATE = {
    "backend": "userspace", "kernel": "6.1.2", "realtime": False, "congestion": {"bbr": 6},
    "offloads": "none at all", "losses": "seeded", "checks": [HOLDS, DOES_NOT],
    "alike": {"edge->a": ["edge->b"]}, "device_drops": 3, "problems": ["link edge->a: goodput"],
    "report": {
        "delivered_packets": 12, "late_p50_s": 1e-5, "late_p99_s": 2e-5, "late_max_s": 3e-5,
    },
}  # fmt: skip


def write_manifest(folder: Path, content: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


def test_it_tells_what_was_measured_and_what_does_not_hold(
    tessera: Program, tmp_path: Path
) -> None:
    write_manifest(tmp_path, {"link_certificate": CERTIFICATE})
    ran = tessera("certificate", str(tmp_path))
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    trip = next(line for line in lines if "round trip" in line)
    assert [cell.strip() for cell in trip.split("│")[1:-1]] == [
        "edge->a", "round trip", "10.100 ms", "10.000 ms", "9.500 ms", "10.500 ms", "holds",
    ]  # fmt: skip
    goodput = next(line for line in lines if "10.00 Mbit/s" in line)
    assert goodput.rstrip("│ ").endswith("DOES NOT HOLD")
    for words in (
        "Like edge->a: edge->b", "userspace links, kernel 6.1.2, without real-time priority",
        "congestion control: bbr (6 pairs)", "losses: seeded", "REFUSED: link edge->a: goodput",
        "12 packets, late by p50 0.010 ms, p99 0.020 ms, most 0.030 ms; 3 lost before",
    ):  # fmt: skip
        assert words in ran.out


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (None, "manifest.json: No such file or directory; name a result folder"),
        ({"name": "x"}, "no certificate: this run had no emulated links"),
        ([], "no certificate: this run had no emulated links"),
    ],
)
def test_a_folder_without_one_is_a_line(
    manifest: Any, words: str, tessera: Program, tmp_path: Path
) -> None:
    if manifest is not None:
        write_manifest(tmp_path, manifest)
    ran = tessera("certificate", str(tmp_path))
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert words in ran.err


def test_a_manifest_that_is_none_is_a_line(tessera: Program, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    ran = tessera("certificate", str(tmp_path))
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "no JSON" in ran.err
