"""What the program says of how far its figures can be relied on, and refuses to say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.conftest import Program, Ran, ScenarioFile

SHIPPED = "jetson-16-clouds"
SMALL = ("--set", "replications=3", "--set", "workload.requests=60", "--set", "warm_up=0")
TWO = ("--policy", "local", "--policy", "offload")
FLOOD = ("--set", "workload.arrivals.rate_per_s=3")
STEADY = ("--set", "workload.arrivals.rate_per_s=2.2")
LOCAL = ("--policy", "local")


def found(ran: Ran) -> Any:
    assert (ran.status, ran.err) == (0, "")
    return json.loads(ran.out, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--until", "5"], ["--until '5'", "percentage", "5%"]),
        (["--until", "0%"], ["--until '0%'", "between 0% and 100%"]),
        (["--until", "100%"], ["--until '100%'", "between 0% and 100%"]),
        (["--until", "nan%"], ["--until 'nan%'"]),
        (["--until", "%"], ["--until '%'"]),
        (["--until", "p98=5%"], ["no metric 'p98'", "did you mean 'p99'?"]),
        (["--until", "p99=few"], ["--until 'few'", "percentage"]),
        (["--at-most", "20"], ["--at-most 20", "--until"]),
        (["--until", "5%", "--at-most", "4"], ["--at-most 4", "at least 5"]),
        (["--until", "5%", "--at-most", "0"], ["--at-most 0", "at least 5"]),
        (
            ["--until", "5%", "--at-most", "9", "--set", "replications=10"],
            ["--at-most 9", "at least 10", "replications"],
        ),
        (["--compare"], ["--compare", "two policies"]),
        (["--compare", "--policy", "local", "--policy", "local"], ["--compare", "two policies"]),
        (["--compare", *TWO, "--set", "replications=1"], ["--compare", "--set replications=10"]),
        (["--set", "warm_up=ato"], ["warm_up", "'ato'", "auto"]),
        (["--set", "warm_up=2.5"], ["warm_up", "2.5"]),
        (["--set", "warm_up=-1"], ["warm_up", "-1"]),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_refused_in_one_line(
    tessera: Program, arguments: list[str], parts: list[str]
) -> None:
    ran = tessera("simulate", SHIPPED, *SMALL, *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err


def test_warm_up_can_be_found_and_is_told(tessera: Program) -> None:
    auto = ("--set", "replications=3", "--set", "warm_up=auto", *TWO)
    ran = tessera("simulate", SHIPPED, *auto)
    assert "3 x 400 requests" in ran.out
    assert "Warm-up left out of each replication, by MSER-5: local " in ran.out
    local, offload = found(tessera("simulate", SHIPPED, *auto, "--json"))["policies"]
    for policy in (local, offload):
        assert policy["warm_up"]["method"] == "mser-5"
        assert policy["warm_up"]["requests"] % 5 == 0
        assert f"{policy['policy']} {policy['warm_up']['requests']} requests" in ran.out
    short = tessera("simulate", SHIPPED, *auto, "--set", "workload.requests=40")
    assert "no end of the transient found: run longer" in short.out


def test_warm_up_that_was_given_is_told_as_given(tessera: Program) -> None:
    ran = tessera("simulate", SHIPPED, *LOCAL, *SMALL, "--set", "warm_up=12")
    assert "MSER" not in ran.out
    (policy,) = found(tessera("simulate", SHIPPED, *SMALL, "--set", "warm_up=12", "--json"))[
        "policies"
    ]
    assert policy["warm_up"] == {"requests": 12, "method": "given", "found": True}


def test_budget_leaves_out_the_warm_up_it_found(tessera: Program) -> None:
    ran = tessera("budget", SHIPPED, *LOCAL, "--set", "warm_up=auto", "--json")
    answer = json.loads(ran.out)
    left = answer["warm_up"]["requests"]
    assert answer["samples"] == 10 * (400 - left)
    assert "by MSER-5: local" in tessera("budget", SHIPPED, *LOCAL, "--set", "warm_up=auto").out


def test_several_replications_give_the_interval_and_say_so(tessera: Program) -> None:
    (policy,) = found(tessera("simulate", SHIPPED, *SMALL, *LOCAL, "--json"))["policies"]
    assert policy["intervals"] == {"method": "replications"}
    assert policy["metrics"]["p99_s"]["method"] == "replications"
    assert "Means over replications" in tessera("simulate", SHIPPED, *SMALL, *LOCAL).out


def test_one_long_replication_gives_an_interval_by_batch_means_and_says_so(
    tessera: Program,
) -> None:
    one = (*LOCAL, "--set", "replications=1", "--set", "workload.requests=2020")
    ran = tessera("simulate", SHIPPED, *one)
    assert "One replication; 95 % intervals by batch means" in ran.out
    assert " to " in ran.out
    (policy,) = found(tessera("simulate", SHIPPED, *one, "--json"))["policies"]
    assert policy["intervals"]["method"] == "batch means"
    assert policy["intervals"]["batches"] * policy["intervals"]["batch_size"] == 2000
    mean, low, high = (policy["metrics"]["mean_s"][key] for key in ("mean", "low", "high"))
    assert low < mean < high
    assert policy["metrics"]["mean_s"]["method"] == "batch means"
    assert policy["metrics"]["pixels_max_node"]["method"] is None


def test_one_replication_too_short_for_the_tail_bounds_it_on_one_side(tessera: Program) -> None:
    one = (*LOCAL, "--set", "replications=1", "--set", "workload.requests=220")
    assert " or more)" in tessera("simulate", SHIPPED, *one).out
    assert " or more)" in tessera("budget", SHIPPED, *one).out
    (policy,) = found(tessera("simulate", SHIPPED, *one, "--json"))["policies"]
    assert policy["metrics"]["p99_s"]["low"] > 0
    assert policy["metrics"]["p99_s"]["high"] is None


def test_one_replication_too_short_for_any_interval_has_none(tessera: Program) -> None:
    one = (*LOCAL, *SMALL, "--set", "replications=1")
    for command in ("simulate", "budget"):
        assert "nan" not in tessera(command, SHIPPED, *one).out
    (policy,) = found(tessera("simulate", SHIPPED, *one, "--json"))["policies"]
    assert policy["intervals"] == {"method": None}


def test_batches_that_are_still_correlated_are_told(tessera: Program) -> None:
    near = ("--set", "replications=1", "--set", "workload.requests=1020")
    near += ("--set", "workload.arrivals.rate_per_s=2.4")
    ran = tessera("simulate", SHIPPED, *LOCAL, *near)
    (policy,) = found(tessera("simulate", SHIPPED, *LOCAL, *near, "--json"))["policies"]
    assert policy["intervals"]["correlated"]
    assert "still correlated" in ran.out
    assert "saturated" not in ran.out


def test_a_comparison_has_a_row_and_a_verdict_for_each_other_policy(tessera: Program) -> None:
    ran = tessera("simulate", SHIPPED, *SMALL, *TWO, "--policy", "local:edge=jetson", "--compare")
    assert ran.status == 0
    assert "Difference from local, on the same requests" in ran.out
    assert "faster" in ran.out
    assert "no difference shown" in ran.out
    assert "Holm" in ran.out
    assert "Difference from" not in tessera("simulate", SHIPPED, *SMALL, *TWO).out


def test_comparisons_are_always_in_the_json_of_several_policies(tessera: Program) -> None:
    (only,) = found(tessera("simulate", SHIPPED, *SMALL, *TWO, "--json"))["comparisons"]
    assert (only["policy"], only["reference"], only["verdict"]) == ("offload", "local", "faster")
    p99 = only["differences"]["p99_s"]
    assert p99["low"] < p99["mean"] < p99["high"] < 0
    assert p99["shown"]
    assert p99["p"] < 0.05
    for few in (LOCAL, (*TWO, "--set", "replications=1")):
        assert found(tessera("simulate", SHIPPED, *SMALL, *few, "--json"))["comparisons"] == []


def test_where_there_is_no_steady_state_no_latency_is_printed(tessera: Program) -> None:
    ran = tessera("simulate", SHIPPED, *FLOOD, *TWO, "--compare")
    assert ran.status == 0
    assert "local: saturated, no steady state: jetson is offered 122% of what it can do" in ran.out
    row = next(line for line in ran.out.splitlines() if line.startswith("│ local "))
    assert [cell.strip() for cell in row.split("│")[2:5]] == ["-", "saturated", "-"]
    assert "faster: the other is saturated" in ran.out
    assert "does not hold under: local" in ran.out
    local, offload = found(tessera("simulate", SHIPPED, *FLOOD, *TWO, "--json"))["policies"]
    assert local["saturation"]["saturated"]
    assert local["saturation"]["busiest"] == "jetson"
    assert local["saturation"]["load"] == pytest.approx(1.22, abs=0.01)
    for key in ("p50_s", "p95_s", "p99_s", "mean_s", "deadline_met"):
        assert local["metrics"][key]["mean"] is None
        assert offload["metrics"][key]["mean"] is not None
    assert local["metrics"]["energy_j"]["mean"] > 0
    assert not offload["saturation"]["saturated"]
    assert offload["saturation"]["reason"] is None


def test_at_nine_tenths_of_capacity_latencies_are_printed(tessera: Program) -> None:
    assert "saturated" not in tessera("simulate", SHIPPED, *STEADY, *LOCAL).out
    (policy,) = found(tessera("simulate", SHIPPED, *STEADY, *LOCAL, "--json"))["policies"]
    assert policy["saturation"]["load"] == pytest.approx(0.89, abs=0.01)


def test_budget_of_what_has_no_steady_state_does_not_hold_however_long_the_deadline(
    tessera: Program,
) -> None:
    ran = tessera("budget", SHIPPED, *FLOOD, *LOCAL, "--deadline", "3000s")
    assert (ran.status, ran.err) == (1, "")
    assert "DOES NOT HOLD: saturated" in ran.out
    assert "no steady state" in ran.out
    assert "jetson is offered 122% of what it can do" in ran.out
    assert "requests met it" not in ran.out
    ran = tessera("budget", SHIPPED, *FLOOD, *LOCAL, "--deadline", "3000s", "--json")
    answer = json.loads(ran.out, parse_constant=pytest.fail)
    assert ran.status == 1
    assert answer["answer"] == "missed"
    assert answer["saturation"]["saturated"]
    assert answer["met"]["mean"] is answer["quantile_s"] is None
    steady = tessera("budget", SHIPPED, *STEADY, *LOCAL, "--deadline", "3000s")
    assert steady.status == 0


def test_more_replications_are_run_until_the_interval_is_narrow(tessera: Program) -> None:
    until = (*SMALL, *TWO, "--until", "mean=4%")
    report = found(tessera("simulate", SHIPPED, *until, "--json"))
    count = report["replications"]
    assert 5 < count < 200
    assert (
        f"mean within ± 4 % after {count} replications" in tessera("simulate", SHIPPED, *until).out
    )
    assert report["until"]["reached"]
    assert report["until"]["fraction"] == pytest.approx(0.04)
    assert max(report["until"]["widths"].values()) <= 0.04
    assert found(tessera("simulate", SHIPPED, *SMALL, "--json"))["until"] is None


def test_it_tells_where_the_bound_was_reached_first(tessera: Program) -> None:
    ran = tessera("simulate", SHIPPED, *SMALL, *LOCAL, "--until", "0.1%", "--at-most", "6")
    assert ran.status == 0
    assert "p99 within ± 0.1 % not reached in 6 replications, the bound: ± " in ran.out
    assert "under local; raise --at-most" in ran.out


def test_the_manifest_says_how_many_replications_were_run(
    tessera: Program, scenario_file: ScenarioFile, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    path = str(scenario_file())
    assert tessera("simulate", path, "--until", "90%", "--out", str(out)).status == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["scenario"]["replications"] == 5
