"""A search finds what a sweep of everything finds, is the same however it is run, and goes on."""

import json
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("optuna", reason="pip install 'tessera[search]'")

from experiments.parts import Parts
from experiments.searches.dimensions import parse_dimension
from experiments.searches.goal import parse_goal, parse_limit
from experiments.searches.searching import ROUND, Search
from experiments.sweeps import simulating
from experiments.sweeps.axes import Cell
from experiments.sweeps.simulating import Orders
from experiments.sweeps.sweeping import sweep
from tests.complaints import refused
from tests.experiments.conftest import Program

SCENARIO = "orin-nano-4-clouds"
POLICY = "sharded/deferred:codec={codec},clouds={n}"
FEW = ("replications=2", "workload.requests=8", "warm_up=0")
OVER = ("codec=fp16,int8,int4", "n=1..4")
ASKED = [
    "search", SCENARIO, "--policy", POLICY, *(word for each in OVER for word in ("--over", each)),
    *(word for each in FEW for word in ("--set", each)), "--workers", "1",
]  # fmt: skip


def search_for(goal: str, *limits: str, policies: tuple[str, ...] = (POLICY,)) -> Search:
    over = [parse_dimension(each) for each in OVER]
    wanted = [parse_limit(each) for each in limits]
    return Search.of(SCENARIO, policies, over, parse_goal(goal), wanted, FEW)


def found(search: Search, trials: int = 100, workers: int = 1) -> pd.DataFrame:
    with Parts(None, {}) as parts:
        return search.run(parts, trials, workers)


@pytest.fixture(scope="module")
def everything() -> pd.DataFrame:
    return sweep(SCENARIO, [POLICY], ["codec=fp16,int8,int4", "n=1,2,3,4"], FEW)


def test_the_best_within_limits_is_that_of_a_sweep_of_everything(everything: pd.DataFrame) -> None:
    search = search_for("p99_s", "pixels<=40%")
    best = search.best(found(search))
    assert best is not None
    allowed = everything[everything["pixels"] <= 0.4]
    assert 0 < len(allowed) < len(everything)
    expected = allowed.loc[allowed["p99_s"].idxmin()]
    assert (best["policy"], best["p99_s"]) == (expected["policy"], expected["p99_s"])


def test_a_cell_is_the_one_of_a_sweep(everything: pd.DataFrame) -> None:
    rows = found(search_for("p99_s"), 4).drop(columns=["cell", "allowed"])
    alike = everything.merge(rows[["codec", "n"]], how="right").drop(columns="cell")
    pd.testing.assert_frame_equal(rows, alike)


def test_cells_are_tried_once_and_no_more_of_them_than_told() -> None:
    for trials in (3, 5, 9):
        rows = found(search_for("mean_s"), trials)
        assert len(rows) == trials
        assert not rows.duplicated("policy").any()


def test_it_is_the_same_on_more_processors() -> None:
    search = search_for("p99_s")
    pd.testing.assert_frame_equal(found(search, 6, 1), found(search, 6, 2))


def test_a_goal_may_be_to_have_the_most_of_it() -> None:
    search = search_for("throughput_per_s")
    rows = found(search, 8)
    best = search.best(rows)
    assert best is not None
    assert best["throughput_per_s"] == rows["throughput_per_s"].max()


def test_policies_compete_each_with_its_own_parameters() -> None:
    search = search_for("p99_s", policies=(POLICY, "local", "sharded/exact:codec={codec}"))
    assert search.space.size == 3 * 4 + 1 + 3
    rows = found(search)
    assert set(rows["policy"].str.partition(":")[0]) == {
        "sharded/deferred", "local", "sharded/exact"
    }  # fmt: skip
    assert (rows[rows["policy"] == "local"][["codec", "n"]] == "").all(axis=None)
    best = search.best(rows)
    assert best is not None
    assert best["policy"] == "local"


def test_the_best_is_tried_again_on_other_arrivals() -> None:
    settings = (*FEW, "workload.arrivals={kind: poisson, rate_per_s: 2.0}")
    over = [parse_dimension(each) for each in OVER]
    search = Search.of(SCENARIO, [POLICY], over, parse_goal("p99_s"), (), settings)
    with Parts(None, {}) as parts:
        best = search.best(search.run(parts, 4, 1))
        assert best is not None
        again = search.unseen(best, parts)
    cell = Cell(0, str(best["policy"]), (("codec", best["codec"]), ("n", best["n"])))
    seed = json.loads(json.dumps(search.about()))["scenario"]["seed"] + 1
    orders = Orders(search.orders.path, (*settings, f"seed={seed}"), (POLICY,))
    assert again["p99_s"] == simulating.simulated(orders, cell)["p99_s"].iloc[0] != best["p99_s"]


def test_interrupted_anywhere_it_goes_on_to_the_same(
    tessera: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "results", found(search_for("p99_s"), 7)
    simulated = simulating.simulated
    done: list[int] = []

    def interrupted(orders: Orders, cell: Cell) -> pd.DataFrame:
        if len(done) == ROUND + 1:
            raise KeyboardInterrupt
        done.append(cell.number)
        return simulated(orders, cell)

    monkeypatch.setattr("experiments.searches.searching.simulated", interrupted)
    asked = [*ASKED, "--trials", "7", "--out", str(out)]
    ran = tessera(*asked)
    assert (ran.status, ran.out) == (130, "")
    assert "the same command and --resume" in ran.err
    assert len(list(out.glob("cell-*.parquet"))) == ROUND + 1
    monkeypatch.undo()
    refused(tessera(*asked), "holds results already; add --resume")
    times = {path: path.stat().st_mtime_ns for path in out.glob("cell-*.parquet")}
    ran = tessera(*asked, "--resume", "--json")
    assert (ran.status, ran.err) == (0, "")
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in times.items())
    rows = pd.DataFrame(json.loads(ran.out)["trials"])
    assert rows[["cell", "policy", "p99_s"]].equals(whole[["cell", "policy", "p99_s"]])
    longer = tessera(*ASKED, "--trials", "9", "--out", str(out), "--resume", "--json")
    assert len(json.loads(longer.out)["trials"]) == 9
    other = tessera(*ASKED, "--goal", "p50_s", "--out", str(out), "--resume")
    refused(other, "with another goal")


def test_where_nothing_is_allowed_the_status_says_so(tessera: Program) -> None:
    ran = tessera(*ASKED, "--trials", "4", "--subject-to", "pixels<=1%")
    assert (ran.status, ran.err) == (1, "")
    assert "4 different cells tried, 0 of them allowed" in ran.out
    failing = [word.replace("n=1..4", "n=17..18") for word in ASKED]
    ran = tessera(*failing, "--trials", "2")
    assert ran.status == 1
    assert "PolicyError: clouds: 17 wanted" in ran.out


def test_what_is_told_is_the_best_and_its_figure_elsewhere(tessera: Program) -> None:
    ran = tessera(*ASKED, "--trials", "3", "--goal", "pixels")
    assert (ran.status, ran.err) == (0, "")  # nothing of Optuna's own
    rows = json.loads(tessera(*ASKED, "--trials", "3", "--goal", "pixels", "--json").out)["trials"]
    least = min(row["pixels"] for row in rows)
    assert f"best pixels: {least:.4g} with sharded/deferred" in ran.out
    assert f"the same on other arrivals: {least:.4g}" in ran.out  # what is shown is as planned


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--policy", "local"], "--over: say what to search over"),
        (["--policy", POLICY, "--over", "codec=int8,int4"], "no 'n'; give --over n="),
        (["--over", "n=1..2", "--over", "n=3..4"], "--over n: is given twice"),
        (["--policy", "sharded/deferred:codec={c}", "--over", "c=int8,int9"], "codec"),
        (["--over", "wiev_age=0ms..5ms"], "view_age"),
        (["--over", "n=1..2", "--goal", "p98_s"], "no figure 'p98_s'"),
        (["--over", "view_age=0s..1s", "--resume"], "--resume: without --out holds nothing"),
    ],
)
def test_mistakes_are_told_in_a_line(tessera: Program, options: list[str], complaint: str) -> None:
    refused(tessera("search", SCENARIO, *options), complaint)
