"""Commands on models that write and paint: what their tables and files tell."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sim.policies.registry import PAINTING, WRITING
from tests.complaints import refused
from tests.experiments.conftest import Program

LLAMA, SDXL = "llama2-7b-jetson-cloud", "sdxl-phone-cloud"
QUICK = ("--set", "replications=1", "--set", "workload.requests=2")
SHORT = (*QUICK, "--set", "workload.text.output_tokens=5")


def test_a_written_answer_has_its_own_columns_and_says_what_clouds_hold(tessera: Program) -> None:
    ran = tessera("simulate", LLAMA, *SHORT, "--policy", "all")
    assert (ran.status, ran.err) == (0, "")
    for words in ("first ms", "gap ms", "tok/s", "hidden 1-31", "prompt, token", "nothing"):
        assert words in ran.out
    assert "pixels" not in ran.out


def test_figures_of_a_written_answer_are_in_the_json(tessera: Program) -> None:
    ran = tessera("simulate", LLAMA, *SHORT, "--policy", "all", "--json")
    found = json.loads(ran.out)["policies"]
    assert [each["policy"] for each in found] == list(WRITING)
    for each in found:
        metrics = {name: value["mean"] for name, value in each["metrics"].items()}
        assert metrics["tokens_per_s"] == pytest.approx(5 / metrics["mean_s"], rel=0.1)
        assert metrics["first_token_s"] > metrics["token_gap_s"] > 0
    held = {each["policy"]: {row["tensor"] for row in each["held"]} for each in found}
    assert held == {
        "edge-only": set(),
        "cloud-only": {"prompt", "token"},
        "lambda-split": {"hidden"},
        "lambda-split/pipelined": {"hidden"},
        "lambda-split-best": {"hidden"},
    }


def test_a_painted_answer_says_which_latents_clouds_hold(tessera: Program) -> None:
    ran = tessera("simulate", SDXL, *QUICK, "--policy", "all", "--json")
    found = json.loads(ran.out)["policies"]
    assert [each["policy"] for each in found] == list(PAINTING)
    latents = {
        each["policy"]: row["depth_most"]
        for each in found
        for row in each["held"]
        if row["tensor"] == "latent"
    }
    assert latents == {
        "cloud-only": 30,
        "lambda-split/lockstep": 30,
        "lambda-split/edge-scheduler": 29,
    }
    assert all("tokens_per_s" not in each["metrics"] for each in found)


def test_a_result_folder_has_a_table_of_what_was_held(tessera: Program, tmp_path: Path) -> None:
    out = tmp_path / "results"
    assert tessera("simulate", LLAMA, *SHORT, "--out", str(out)).status == 0
    held = pd.read_parquet(out / "holdings.parquet")
    assert held["tensor"].unique().tolist() == ["hidden"]
    assert held[["request", "depth_least", "depth_most", "tokens"]].to_numpy().tolist() == [
        [0, 1, 31, 40],
        [1, 1, 31, 40],
    ]
    requests = pd.read_parquet(out / "requests.parquet")
    assert requests["tokens"].tolist() == [5, 5]
    assert (requests["first_token_s"] < requests["latency_s"]).all()


def test_budget_tells_what_the_time_of_a_text_went_to(tessera: Program) -> None:
    ran = tessera("budget", LLAMA, *SHORT, "--deadline", "30s")
    assert ran.status in (0, 3)
    for words in ("edge: llama.tail", "cloud: llama.middle", "edge to cloud: hidden"):
        assert words in ran.out


def test_lists_name_the_models_and_what_is_made_for_them(tessera: Program) -> None:
    assert "llama2-70b: " in tessera("list", "workloads").out
    assert "lambda-split/lockstep: " in tessera("list", "policies").out
    assert f"{SDXL}: " in tessera("list", "scenarios").out


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("workload.text.prompt_tokens=0", "prompt_tokens"),
        ("workload.text.output_tokens=5000", "16 tokens in and 5000 out are more than the 4096"),
        ("workload.painting={steps: 3}", "workload.painting: means nothing to 'llama2-7b'"),
        ("workload.model=llama2-8b", "'llama2-8b' is unknown; did you mean 'llama2-7b'"),
        ("workload.model=none.json", "none.json cannot be read"),
        ("workload.text.output_tokens={kind: uniform, low: 9, high: 3}", "give 1 <= low <= high"),
    ],
)
def test_an_impossible_text_is_told_in_one_line(tessera: Program, setting: str, words: str) -> None:
    refused(tessera("simulate", LLAMA, "--set", setting), words)


def test_the_real_runner_takes_the_very_steps_that_the_simulator_does(
    tessera: Program, tmp_path: Path
) -> None:
    """Which cloud is the quickest may differ: for real that goes by what was measured."""
    pytest.importorskip("grpc")
    at_once = "workload.arrivals={kind: closed, clients: 1}"
    short = (*SHORT, "--set", "workload.requests=1", "--set", at_once)
    policy = ("--policy", "lambda-split/pipelined:codec=int8,draft=2")
    found = {}
    for world in ("simulate", "run"):
        ran = tessera(world, LLAMA, *short, *policy, "--out", str(tmp_path / world))
        assert ran.status == 0, ran
        steps = pd.read_parquet(tmp_path / world / "steps.parquet").sort_values("step")
        held = pd.read_parquet(tmp_path / world / "holdings.parquet").sort_values("depth_least")
        requests = pd.read_parquet(tmp_path / world / "requests.parquet")
        assert requests["tokens"].tolist() == [5]
        found[world] = (
            steps[["step", "kind", "stage", "bytes", "flops"]].to_numpy().tolist(),
            held[["tensor", "depth_least", "depth_most", "tokens"]].to_numpy().tolist(),
        )
    assert found["run"] == found["simulate"]
