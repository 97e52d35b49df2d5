"""Why a parcel is turned away, and how gRPC's codes put it."""

import grpc

from real_runner.errors import StepError
from real_runner.wire.room import NoRoomError

Refusal = tuple[grpc.StatusCode, str]
"""A code for programs, a line for people."""

_Code = grpc.StatusCode
_LONGEST_REASON = 500
_NO_FAULT = (_Code.RESOURCE_EXHAUSTED, _Code.DEADLINE_EXCEEDED, _Code.UNKNOWN)
"""What may be the receiver's own doing, or the network's: the sender is told, but not accused."""


class ImpostorError(StepError):
    """Somebody claims to be somebody else."""


class DamagedError(StepError):
    """Other bytes came than were sent."""


class UnwantedError(StepError):
    """The parcel is sound, but this node has no use for it."""


def refusal_for(error: Exception) -> Refusal:
    """Return what the sender is told of an error."""
    match error:
        case NoRoomError():
            code = _Code.RESOURCE_EXHAUSTED
        case ImpostorError():
            code = _Code.PERMISSION_DENIED
        case DamagedError():
            code = _Code.DATA_LOSS
        case UnwantedError():
            code = _Code.FAILED_PRECONDITION
        case StepError():
            code = _Code.INVALID_ARGUMENT
        case _:
            return _Code.UNKNOWN, _line(f"{type(error).__name__}: {error}")
    return code, _line(str(error))


def is_fault(refusal: Refusal) -> bool:
    """Whether it is the sender's fault."""
    return refusal[0] not in _NO_FAULT


def _line(reason: str) -> str:
    return " ".join(reason.split())[:_LONGEST_REASON]
