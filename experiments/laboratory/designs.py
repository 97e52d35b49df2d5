"""Designs measured one after the other: accuracy, then attacks, then latency and cost simulated."""

from collections.abc import Callable, Iterator, Sequence

from experiments.campaign import run_campaign
from experiments.laboratory.accuracy.sitting import Sitting
from experiments.laboratory.checkpoints import Checkpoints
from experiments.laboratory.privacy.measure import Measure
from experiments.laboratory.privacy.sitting import opened
from experiments.laboratory.privacy.verdict import verdict
from experiments.laboratory.subjects import drawn
from experiments.laboratory.tradeoff import Row, row
from experiments.parts import Parts
from real_runner.deployment import NodeSpec
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.runner import Scenario


class Designs:
    """Policies, each as a scenario for accuracy and attacks and one to be timed in.

    ``weights`` are those of modes, numbers are computed as ``spec`` says; accuracy is examined on
    so many ``scenes``. What ``parts`` has already is not measured again.
    """

    def __init__(
        self,
        cases: Sequence[Scenario],
        timed: Sequence[Scenario],
        weights: Checkpoints,
        spec: NodeSpec,
        measure: Measure,
        scenes: int,
        parts: Parts,
    ) -> None:
        self._pairs = list(zip(cases, timed, strict=True))
        self._weights, self._spec = weights, spec
        self._measure, self._parts = measure, parts
        self._scenes = scenes

    @property
    def total(self) -> int:
        """How many pictures there are to run, all policies together."""
        recorded = self._measure.protocol.pictures.recorded
        return self._scenes * (len(self._pairs) + 1) + recorded * len(self._pairs)

    def rows(
        self,
        told: Callable[[], None],
        doing: Callable[[str], None] = lambda _: None,
        *,
        until_missed: bool = False,
    ) -> Iterator[Row | tuple[str, str]]:
        """Yield a row for each policy; for one that cannot be had, its name and why.

        ``told`` is told of each picture that is run, ``doing`` what is done. With
        ``until_missed`` a design is attacked no more once it has missed.
        """
        first, _ = self._pairs[0]
        look = self._measure.look
        subjects = [drawn(look, first.seed, "test", index) for index in range(self._scenes)]
        sitting = Sitting(first, self._weights, self._spec, subjects, self._parts)
        sitting.open(told)
        for case, simulated in self._pairs:
            doing(f"examining {case.policy_name}")
            found = sitting.examine(case.policy_name, told)
            if found.refused:
                yield case.policy_name, found.refused
                continue
            checkpoint = self._weights.of(case.policy)
            attacking = opened(case, checkpoint, self._spec, self._measure, self._parts)
            try:
                attacked = attacking.tables(told, doing, until_missed=until_missed)
            except PolicyError as error:
                yield case.policy_name, str(error)
                continue
            timing = run_campaign(simulated, Simulator())
            yield row(found, verdict(case.policy_name, attacked), timing)
