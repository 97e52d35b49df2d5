"""What orchestrator and workers say to each other, and stages as messages and back."""

from functools import lru_cache
from typing import Any

from real_runner.wire.messages import load
from real_runner.wire.payloads import payload_message, payload_of
from workloads.stage import Stage

control = load("real_runner/control/control.proto")

VERSION = 5
METHOD = "/tessera.Control/Work"
ORCHESTRATOR = "orchestrator"
"""The name in the certificate of the one who may command workers."""


@lru_cache(maxsize=1 << 14)
def stage_message(stage: Stage) -> Any:
    """Return a stage as a message."""
    return control.Stage(
        kind=stage.kind,
        flops=stage.flops,
        memory_bytes=stage.memory_bytes,
        launches=stage.launches,
        weight_bytes=stage.weight_bytes,
        blocks=stage.blocks,
        shard=stage.shard,
        precision=stage.precision,
        makes=payload_message(stage.makes) if stage.makes else None,
        positions=stage.positions,
        codec=stage.codec,
        settings=[control.Setting(name=name, value=value) for name, value in stage.settings],
    )


def stage_of(message: Any) -> Stage:
    """Return the stage that a message describes."""
    return Stage(
        message.kind,
        message.flops,
        message.memory_bytes,
        message.launches,
        message.weight_bytes,
        tuple(message.blocks),
        tuple(message.shard),
        message.precision,
        payload_of(message.makes) if message.HasField("makes") else None,
        (message.positions[0], message.positions[1]),
        message.codec,
        settings=tuple((each.name, each.value) for each in message.settings),
    )
