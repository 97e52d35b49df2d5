"""What a course of training consists of, and how it stands: values, without torch."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workloads.errors import WorkloadError
from workloads.sam.withholding import MOST_TREND, Withheld

Order = Literal["unsplit", "deferred", "local-attention", "landmark"]
"""As which mode blocks run: ``deferred`` runs all windowed ones first, and then all global ones; in
``local-attention`` and ``landmark`` global attention is inside of shards, drawn at random."""

Optimiser = Literal["adamw", "muon"]
Precision = Literal["fp32", "bf16"]

APART: Final = ("local-attention", "landmark")

Count = Annotated[int, Field(ge=1)]


class Orders(BaseModel):
    """What a course consists of.

    Each of ``steps`` has ``batch`` scenes of a ``prior`` with at most ``prompts`` prompts on each;
    ``rate`` is the highest learning rate. After every so many steps (``every``) the model is
    examined on as many scenes that it has not seen (``examined``). It begins with the numbers that
    a checkpoint has, known by the digest ``begins_with``, or by chance. Where shards are apart, the
    windows of a scene are dealt to one of so many ``clouds``; a landmark is the average of ``pool``
    tokens. What blocks in windows see has ``withheld`` taken off: the means of squares of
    ``withhold`` patches a side, and before that of each window a ``trend`` of this degree.
    Products of matrices have the ``precision``; numbers themselves are kept in fp32.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: str
    order: Order = "unsplit"
    steps: Count = 13_000
    batch: Count = 4
    prompts: Count = 6
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 6e-4
    prior: Annotated[float, Field(ge=0, le=1)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 0
    every: Count = 500
    examined: Count = 60
    begins_with: str = ""
    clouds: tuple[Count, ...] = (2, 4, 8, 16)
    pool: Count = 4
    withhold: Annotated[int, Field(ge=0)] = 0
    trend: Annotated[int, Field(ge=0, le=MOST_TREND)] = 0
    optimiser: Optimiser = "muon"
    precision: Precision = "bf16"

    @model_validator(mode="after")
    def _withholds_what_is_known(self) -> Self:
        if self.withhold and self.order in APART:
            raise ValueError(f"withhold: has no meaning for order {self.order!r}; use deferred")
        try:
            _ = self.withheld
        except WorkloadError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def withheld(self) -> Withheld:
        """What is taken off pixels."""
        return Withheld(self.withhold, self.trend)


@dataclass(frozen=True, slots=True)
class Mark:
    """How a course stands after a step: its mean loss since the last mark, and mean IoUs."""

    step: int
    seconds: float
    loss: float
    point: float
    box: float
