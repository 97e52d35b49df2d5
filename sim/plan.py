"""The plan: what a policy decides and every runner executes, as data.

A plan is a directed acyclic graph of three kinds of step. `Compute` runs stages on a node without
letting go of it; `Transfer` carries a payload from one node to another; `Wait` takes time, or
nothing at all. ``after`` lists the earlier steps whose results a step needs, so fork and join are
dependencies and nothing else. ``need`` makes a join "the first k of n": hedging and redundancy are
plain data too, and a step that no join still waits for is cancelled.

The order of the steps is a topological order by construction: a step may only come after steps
with a smaller index. The result of a `Compute` lies on its node, that of a `Transfer` on its
target; what a step works on is the results of the steps it comes after.
"""

from dataclasses import dataclass, field
from math import inf

from sim.errors import PlanError
from workloads.codec import codec_named
from workloads.stage import Payload, Stage

WRITTEN = "token"
"""The tensor that parts of a written answer are."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Run ``stages``, one after the other and without pause, on ``node``.

    It may start once ``need`` of the steps ``after`` have finished (0: all of them).
    """

    node: str
    stages: tuple[Stage, ...]
    after: tuple[int, ...] = ()
    need: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of an answer that it makes; the most, where some of them are guesses."""
        made = (stage.makes for stage in self.stages)
        return sum(each.tokens for each in made if each and each.tensor == WRITTEN)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Carry ``payload``, written with ``codec``, from ``source`` to ``target``.

    ``fresh`` asks for a connection of its own instead of the one that is kept between the two.
    """

    source: str
    target: str
    payload: Payload
    codec: str = "fp16"
    after: tuple[int, ...] = ()
    need: int = 0
    fresh: bool = False

    @property
    def size_bytes(self) -> float:
        """What travels, without transport headers."""
        return self.payload.encoded_bytes(codec_named(self.codec))

    @property
    def tokens(self) -> int:
        """Tokens of an answer that it brings; the most, where some of them may not hold."""
        return self.payload.tokens if self.payload.tensor == WRITTEN else 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Let ``delay_s`` pass on ``node`` once ``need`` of the steps ``after`` have finished (0: all).

    It takes nothing of the node, does not queue for it, and leaves results where they are. Without
    a delay it is a join by itself: what comes after several of them needs the first k of each of
    several groups. With one it is the time after which help is sent for. Raises `PlanError` for a
    delay that is none.
    """

    node: str
    delay_s: float = 0.0
    after: tuple[int, ...] = ()
    need: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.delay_s < inf:
            raise PlanError(f"wait: {self.delay_s!r} s is no delay; give 0 or more seconds")

    @property
    def tokens(self) -> int:
        """None: it makes nothing, and brings nothing."""
        return 0


Step = Compute | Transfer | Wait


def place_of(step: Step) -> str:
    """Return the node where a step begins."""
    return step.source if isinstance(step, Transfer) else step.node


def end_of(step: Step) -> str:
    """Return the node where a step's result lies."""
    return step.target if isinstance(step, Transfer) else step.node


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps that a request takes next; plans are compared by identity.

    ``completes`` says that the request is answered when the plan has ended; otherwise the runner
    asks the policy again, with the progress made. ``choice`` is what a policy that chooses among
    plans knows this one again by (see `sim.policy.Ending`). Raises `PlanError` where a step depends
    on itself or on a later one, or needs more predecessors than it has.
    """

    steps: tuple[Step, ...]
    completes: bool = True
    choice: str = ""
    successors: tuple[tuple[int, ...], ...] = field(init=False, repr=False)
    needs: tuple[int, ...] = field(init=False, repr=False)
    cancels: bool = field(init=False, repr=False)
    """Whether any join is satisfied by fewer steps than it lists."""

    def __post_init__(self) -> None:
        successors: list[list[int]] = [[] for _ in self.steps]
        for index, step in enumerate(self.steps):
            _check(index, step)
            for earlier in step.after:
                successors[earlier].append(index)
        needs = tuple(step.need or len(step.after) for step in self.steps)
        partial = any(need < len(step.after) for need, step in zip(needs, self.steps, strict=True))
        object.__setattr__(self, "successors", tuple(map(tuple, successors)))
        object.__setattr__(self, "needs", needs)
        object.__setattr__(self, "cancels", partial)


def _check(index: int, step: Step) -> None:
    if len(set(step.after)) != len(step.after):
        raise PlanError(f"step {index}: 'after' lists a step twice: {step.after}")
    for earlier in step.after:
        if not 0 <= earlier < index:
            raise PlanError(
                f"step {index}: comes after step {earlier}; "
                "a step may only depend on steps listed before it"
            )
    if not 0 <= step.need <= len(step.after):
        raise PlanError(
            f"step {index}: needs {step.need} of {len(step.after)} predecessors; "
            "give 0 (all) or at most as many as there are"
        )


class PlanBuilder:
    """Collects steps in order; the usual way to write a plan.

    Each method returns the indices that the next step is to come after.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def compute(
        self, node: str, stages: tuple[Stage, ...], after: tuple[int, ...] = ()
    ) -> tuple[int, ...]:
        """Append a `Compute` step, unless there is nothing to run; return what to come after."""
        if not stages:
            return after
        return (self._append(Compute(node, stages, after)),)

    def transfer(
        self,
        source: str,
        target: str,
        payload: Payload,
        codec: str,
        after: tuple[int, ...],
        *,
        fresh: bool = False,
    ) -> tuple[int, ...]:
        """Append a `Transfer`, unless source and target are one; return what to come after."""
        if source == target:
            return after
        return (self._append(Transfer(source, target, payload, codec, after, fresh=fresh)),)

    def wait(
        self, node: str, after: tuple[int, ...], *, delay_s: float = 0.0, need: int = 0
    ) -> tuple[int, ...]:
        """Append a `Wait`, unless it waits for one step only and no longer; return it."""
        if not delay_s and len(after) <= 1:
            return after
        return (self._append(Wait(node, delay_s, after, need)),)

    def build(self, *, completes: bool = True) -> Plan:
        """Return the plan of the steps collected so far."""
        return Plan(tuple(self._steps), completes)

    def _append(self, step: Step) -> int:
        self._steps.append(step)
        return len(self._steps) - 1
