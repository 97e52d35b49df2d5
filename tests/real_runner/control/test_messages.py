"""Stages as messages: everything a worker is to know of one arrives there."""

from real_runner.control.messages import stage_message, stage_of
from workloads.stage import Payload, Stage


def test_what_a_worker_needs_of_a_stage_arrives():
    stage = Stage(
        "sam.landmark",
        2.0,
        3.0,
        launches=4,
        weight_bytes=5.0,
        blocks=(6, 7),
        shard=(8,),
        precision="fp32",
        makes=Payload("tokens", (8,), elements=192, tokens=1),
        positions=(9, 10),
        codec="int8",
        settings=(("pool", 49.0), ("clip", 0.5)),
    )
    assert stage_of(stage_message(stage)) == stage
