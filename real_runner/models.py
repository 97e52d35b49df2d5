"""Models as text, so that a worker knows what it computes."""

from pydantic import TypeAdapter

from real_runner.errors import RealRunError
from workloads.sam.model import Sam
from workloads.stage import Model

_SAM = TypeAdapter(Sam)


def sam_of(model: Model) -> Sam:
    """Return a model that there are real stages for; `RealRunError` for any other."""
    if not isinstance(model, Sam):
        raise RealRunError(
            f"model {model.name!r} has no real stages; use a SAM, or give every node the executor "
            "'synthetic'"
        )
    return model


def model_text(model: Sam) -> str:
    """Return a model as JSON."""
    return _SAM.dump_json(model).decode()


def model_from(text: str) -> Sam:
    """Return the model that `model_text` made a text of."""
    return _SAM.validate_json(text)
