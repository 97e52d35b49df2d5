"""Λ-Split of Stable Diffusion XL in the simulator: bytes, overlap, and who holds which latent."""

from dataclasses import replace

import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.faults import Fault, FaultPlan
from sim.plan import Transfer
from sim.tables import Tables
from sim.trace import FINISHED

ONE = ("workload.requests=1", "replications=1", "workload.arrivals={kind: closed, clients: 1}")
EMBEDDING = 2 * (77 * 2048 + 1280)
SIZES = 2 * 6 * 4
FIELD = 4 * 128 * 128
STEPS = 30


def painted(policy, *settings):
    tables = Tables(Simulator().run(load("sdxl-phone-cloud", [*ONE, *settings], policy)))
    (row,) = tables.requests().to_dict(orient="records")
    return row, tables


@pytest.mark.parametrize(
    ("codec", "bytes_per_element", "embedding_extra", "field_extra"),
    [
        ("fp32", 4, 0, 0),
        ("fp16", 2, 0, 0),
        ("fp8", 1, 2 * 78 * 2, 4 * 2),
        ("int8", 1, 2 * 78 * 4, 4 * 4),
        ("int4", 0.5, 2 * 78 * 4, 4 * 4),
    ],
)
def test_in_lockstep_one_latent_goes_up_and_noise_comes_down(
    codec, bytes_per_element, embedding_extra, field_extra
):
    row, _ = painted(f"lambda-split/lockstep:codec={codec}")
    field = FIELD * bytes_per_element + field_extra
    told = EMBEDDING * bytes_per_element + embedding_extra + SIZES
    assert row["bytes_up"] == told + 4 * FIELD, "whole: both are to begin with the same latent"
    assert row["bytes_down"] == STEPS * field
    alone, _ = painted(f"lambda-split/edge-scheduler:codec={codec}")
    assert alone["bytes_up"] == told + STEPS * field
    assert alone["bytes_down"] == row["bytes_down"]


@pytest.mark.parametrize("design", ["lockstep", "edge-scheduler"])
def test_every_token_of_what_travels_has_as_many_elements(design):
    trace = Simulator().run(load("sdxl-phone-cloud", list(ONE), f"lambda-split/{design}"))
    sent = [step.payload for step in trace.plans[0].steps if isinstance(step, Transfer)]
    assert len(sent) > STEPS
    assert all(not each.elements or each.elements % each.tokens == 0 for each in sent)


def test_noise_takes_262_kilobytes_at_fp32_and_32_8_at_int4():
    for codec, size_bytes in (("fp32", 262_144), ("int4", 32_784)):
        steps = painted(f"lambda-split/lockstep:codec={codec}")[1].steps()
        assert set(steps.loc[steps["stage"] == "noise", "bytes"]) == {size_bytes}


@pytest.mark.parametrize("design", ["lockstep", "edge-scheduler"])
def test_a_cloud_that_is_lost_costs_no_step_that_the_edge_has_taken(design):
    policy = f"lambda-split/{design}"
    _, tables = painted(policy)
    (cloud,) = tables.exposure()["node"]
    middle_s = tables.steps().query("stage == 'noise'")["start_s"].iloc[STEPS // 2]
    scenario = load("sdxl-phone-cloud", list(ONE), policy)
    hit = replace(scenario, faults=FaultPlan((Fault(middle_s, cloud, "crash"),)))
    tables = Tables(Simulator().run(hit))
    (row,) = tables.requests().to_dict(orient="records")
    assert row["outcome"] == FINISHED
    finished = tables.steps().query("outcome == 'finished' and node == 'phone'")
    assert (finished["stage"] == "sdxl.schedule").sum() == STEPS
    assert (finished["stage"] == "sdxl.encode").sum() == 1
    assert tables.steps()["attempt"].max() >= 1
    assert tables.exposure()["node"].nunique() == 2


def test_previews_are_made_at_the_edge_and_seen_by_no_cloud():
    row, tables = painted("lambda-split/edge-scheduler:preview=10")
    made = tables.steps().query("stage == 'sdxl.preview'")
    assert made["node"].tolist() == ["phone"] * 2
    assert set(tables.holdings()["tensor"]) == {"embedding", "pooled", "sizes", "latent", "noise"}
    assert row["latency_s"] > painted("lambda-split/edge-scheduler")[0]["latency_s"]


def test_without_guidance_there_is_one_prompt_and_half_the_work():
    guided = painted("lambda-split/lockstep")[1].steps().groupby("stage")["flops"].sum()
    row, tables = painted("lambda-split/lockstep", "workload.painting={guidance: false}")
    free = tables.steps().groupby("stage")["flops"].sum()
    for stage in ("sdxl.denoise", "sdxl.encode"):
        assert free[stage] == pytest.approx(guided[stage] / 2)
    assert free["sdxl.decode"] == guided["sdxl.decode"]
    assert row["bytes_up"] == EMBEDDING + SIZES / 2 + 4 * FIELD


def test_only_in_lockstep_the_cloud_holds_the_last_latent_and_in_neither_prompt_or_image():
    last = {}
    for design in ("lockstep", "edge-scheduler"):
        held = painted(f"lambda-split/{design}")[1].holdings().set_index("tensor")
        assert set(held.index) == {"embedding", "pooled", "sizes", "latent", "noise"}
        assert held.loc["latent", "depth_least"] == 0
        last[design] = int(held.loc["latent", "depth_most"])
    assert last == {"lockstep": STEPS, "edge-scheduler": STEPS - 1}


def test_a_cloud_that_paints_alone_holds_prompt_and_image():
    row, tables = painted("cloud-only")
    held = set(tables.holdings()["tensor"])
    assert {"prompt", "image"} <= held
    assert row["bytes_down"] == 3 * 1024 * 1024
    assert painted("edge-only")[1].holdings().empty


def test_lockstep_does_not_wait_for_the_edge():
    lockstep, tables = painted("lambda-split/lockstep")
    assert lockstep["latency_s"] < 0.6 * painted("lambda-split/edge-scheduler")[0]["latency_s"]
    steps = tables.steps().set_index("stage")
    assert steps.loc["sdxl.denoise", "start_s"].max() < steps.loc["noise", "end_s"].max()
    assert steps.loc["sdxl.denoise", "start_s"].nunique() == STEPS


def test_the_answer_is_a_picture_and_no_token():
    row, _ = painted("lambda-split/lockstep")
    assert row["outcome"] == "finished"
    assert row["tokens"] == 0


def test_a_model_that_writes_is_told_to_be_none_that_paints():
    scenario = load("llama2-7b-jetson-cloud", list(ONE), "lambda-split/edge-scheduler")
    with pytest.raises(PolicyError, match="model 'llama2-7b' paints nothing; use this policy with"):
        Simulator().run(scenario)
