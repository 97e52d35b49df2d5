"""``--dilation`` as a user meets it: a factor, or one that is found and explained."""

import json
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="pip install 'tessera[real]'")

from experiments.dilation.bounds import GRID
from tests.experiments.conftest import Program

SHORT = tuple(
    word
    for setting in ("workload.requests=4", "warm_up=1", "replications=1")
    for word in ("--set", setting)
)
SYNTHETIC = ("--set", "real.default={executor: synthetic}")


def test_a_dilation_is_told_and_kept_with_the_results(tessera: Program, tmp_path: Path) -> None:
    out = tmp_path / "slow"
    ran = tessera("run", "small-sam", *SHORT, *SYNTHETIC, "--dilation", "2", "--out", str(out))
    assert (ran.status, ran.err) == (0, "")
    assert "Dilated: everything lasted 2 times as long, and times are divided by it" in ran.out
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dilation"] == 2.0


def test_one_that_is_found_is_of_the_grid_and_says_what_bound_it(tessera: Program) -> None:
    ran = tessera("run", "small-sam", *SHORT, *SYNTHETIC, "--dilation", "auto")
    assert (ran.status, ran.err) == (0, "")
    first, second, *_ = ran.out.splitlines()
    words = first.split()
    assert words[0] == "Dilation"
    assert float(words[1].rstrip(",")) in GRID
    assert "bound by handing over" in first
    assert "ms in it, of which 5% are granted" in second


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--dilation", "0.5"), "give a factor of at least 1, e.g. 10, or auto"),
        (("--dilation", "2", "--set", "real.default={pace: native}"), "node 'pi': pace: native"),
        (("--dilation", "auto", "--set", "real.default={pace: native}"), "node 'pi': pace: native"),
        (("--dilation", "auto", "--links", "external"), "external links are as they are"),
    ],
)
def test_a_dilation_that_cannot_be_is_told_in_a_line(
    tessera: Program, options: tuple[str, ...], complaint: str
) -> None:
    ran = tessera("run", "small-sam", *SHORT, *options)
    assert ran.status == 2
    assert complaint in ran.err
    assert ran.err.count("\n") == 1
