"""The script learns, judges on other arrivals, and leaves a network that any command takes."""

from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3", reason="pip install 'tessera[learning]'")

from experiments.questions import learn_a_policy
from tests.experiments.conftest import Program

SMALL = ("workload.arrivals={kind: poisson, rate_per_s: 16.0}", "workload.requests=40",
         "replications=2")  # fmt: skip


def test_what_it_says_is_what_simulate_finds_with_the_policy_it_names(
    tmp_path: Path, tessera: Program, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(learn_a_policy, "BUSY", SMALL)
    network = tmp_path / "mine.npz"
    learn_a_policy.main("orin-nano-4-clouds", network, 512)
    said = capsys.readouterr().out
    assert "Difference from learnt, on the same requests" in said
    policy = said.strip().splitlines()[-1].partition("--policy ")[2]
    settings = [word for each in SMALL for word in ("--set", each)]
    ran = tessera("simulate", "orin-nano-4-clouds", "--policy", policy, *settings)
    assert ran.status == 0, ran.err
    assert figures(ran.out, policy) == figures(said, "learnt")


def figures(table: str, policy: str) -> list[str]:
    """Return the cells of a policy's row."""
    row = next(line for line in table.splitlines() if line.startswith(f"│ {policy} "))
    return [cell.strip() for cell in row.strip("│").split("│")[1:]]
