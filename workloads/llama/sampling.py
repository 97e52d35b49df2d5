"""How the next token is chosen from what the model makes of the text so far."""

from dataclasses import dataclass
from typing import Final

from workloads.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Sampling:
    """The likeliest token (``temperature`` 0), or one drawn.

    It is drawn from softmax(logits / temperature), of whose tokens the likeliest that together have
    ``top_p`` of the probability are kept (nucleus sampling, Holtzman et al. 2020, arXiv
    1904.09751). ``stop`` ends an answer with the model's own end token; without it every answer is
    as long as was asked for. Raises `WorkloadError` for impossible values.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    stop: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise WorkloadError(
                f"text.sampling.temperature: {self.temperature!r}; give 0 (the likeliest) or more"
            )
        if not 0.0 < self.top_p <= 1.0:
            raise WorkloadError(f"text.sampling.top_p: {self.top_p!r}; give above 0, at most 1")


GREEDY: Final = Sampling()
