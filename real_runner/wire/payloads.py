"""Payloads as messages, and back."""

from functools import lru_cache
from typing import Any

from real_runner.wire.messages import load
from workloads.stage import Payload


@lru_cache(maxsize=1 << 14)
def payload_message(payload: Payload) -> Any:
    """Return a payload as a message, which is not to be changed."""
    return load("real_runner/wire/payload.proto").Payload(
        tensor=payload.tensor,
        shard=payload.shard,
        elements=payload.elements,
        tokens=payload.tokens,
        blocks_done=payload.blocks_done,
        mixes=payload.mixes,
        summary=payload.summary,
        fixed_bytes=payload.fixed_bytes,
        first=payload.first,
    )


def payload_of(message: Any) -> Payload:
    """Return the payload that a message describes; that it makes sense is not checked."""
    return Payload(
        message.tensor,
        tuple(message.shard),
        message.elements,
        message.tokens,
        message.blocks_done,
        message.mixes,
        message.summary,
        message.fixed_bytes,
        message.first,
    )
