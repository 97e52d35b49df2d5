"""What was learnt in the environment, as a policy: ``--policy …/learnt.py:Learnt:network=FILE``.

It needs no torch. Files come from ``python -m experiments.questions.learn_a_policy``, or from
`experiments.learning.network.Network.save`.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from experiments.learning.chooser import Chooser, read_endings
from experiments.learning.features import Features
from experiments.learning.network import Network
from sim.errors import PolicyError
from sim.plan import Plan
from sim.policies.registry import policy_named
from sim.policy import Policy, Progress, View
from workloads.stage import Request


@dataclass(frozen=True)
class Learnt:
    """Has each request planned by the policy that the network in a file chooses.

    Raises `PolicyError` where the file is none, or was learnt on another topology.
    """

    network: Path = Path("learnt.npz")

    def __post_init__(self) -> None:
        assert self._arms  # noqa: S101 - reads the file, so that mistakes are told at once

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the policy that was chosen when the request arrived."""
        if request.index == 0 and not progress.plans:
            self._runs[:] = [self._chooser(view)]
        return self._runs[0].plan(request, progress, view)

    @property
    def reads_endings(self) -> bool:
        """Whether one of the arms reads them."""
        return read_endings(self._arms)

    @cached_property
    def _learnt(self) -> Network:
        return Network.read(self.network)

    @cached_property
    def _arms(self) -> list[Policy]:
        return [policy_named(arm) for arm in self._learnt.lesson.arms]

    @cached_property
    def _runs(self) -> list[Chooser]:
        """The run that is going on, once one has begun."""
        return []

    def _chooser(self, view: View) -> Chooser:
        lesson = self._learnt.lesson
        features = Features(view.topology, lesson.origins, lesson.deadline_s)
        if features.names != lesson.names:
            raise PolicyError(
                f"network: {str(self.network)!r} was learnt on another topology than "
                f"{view.topology.name!r}; learn it on this one"
            )
        return Chooser(self._arms, features, lambda _, seen: self._learnt.choose(seen))
