"""Walking a plan: which steps may start as others finish. Bookkeeping without time or I/O.

Every runner drives one `Walk` per plan in execution, so that joins, first-k-of-n and the
cancelling of losers mean the same in simulated and in real time.
"""

from typing import Final

from sim.plan import Plan


class Walk:
    """The state of one execution of ``plan``.

    A step is *ready* once it has enough finished predecessors, and *needless* once every step
    that waits for it has become ready without it; needless steps are to be cancelled. It is
    *doomed* once it was lost or can no longer become ready, since too much of what it needs is
    doomed; the rest of the plan goes on.
    """

    __slots__ = ("_closed", "_doomed", "_plan", "_successors", "_waiting", "open_steps")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._successors = plan.successors
        self._waiting = list(plan.needs)
        self._closed = [False] * len(plan.steps) if plan.cancels else []
        self._doomed: set[int] = set()
        self.open_steps = len(plan.steps)
        """Steps neither finished nor cancelled; the plan has ended when it is 0."""

    def first(self) -> list[int]:
        """Return the steps that depend on nothing."""
        return [index for index, need in enumerate(self._plan.needs) if need == 0]

    def finish(self, index: int) -> tuple[list[int], list[int]]:
        """Note that a step has finished; return what becomes ready and what needless by it.

        A needless step that runs is to be stopped; one that has not begun must never begin.
        """
        self.open_steps -= 1
        waiting = self._waiting
        ready = []
        for later in self._successors[index]:
            waiting[later] -= 1
            if waiting[later] == 0:
                ready.append(later)
        if self._doomed:
            ready = [later for later in ready if later not in self._doomed]
        if not self._closed:
            return ready, _NONE
        return self._prune(index, ready)

    def lose(self, index: int) -> bool:
        """Note that a step that had become ready was lost; dooms what cannot do without it.

        Returns false, and changes nothing, where the step has become needless meanwhile.
        """
        if self._closed and self._closed[index]:
            return False
        spreading = [index]
        while spreading:
            doomed = spreading.pop()
            self.open_steps -= 1
            self._doomed.add(doomed)
            if self._closed:
                self._closed[doomed] = True
            for later in self._successors[doomed]:
                if self._is_doomed(later) and later not in spreading:
                    spreading.append(later)
        return True

    @property
    def failed(self) -> bool:
        """Whether a step that the plan ends with is doomed: it did not do its work."""
        return any(not self._successors[index] for index in self._doomed)

    def is_doomed(self, index: int) -> bool:
        """Whether a step was lost, or can no longer become ready."""
        return index in self._doomed

    def _is_doomed(self, index: int) -> bool:
        if index in self._doomed or self._waiting[index] <= 0:
            return False
        if self._closed and self._closed[index]:
            return False
        after = self._plan.steps[index].after
        return sum(early not in self._doomed for early in after) < self._plan.needs[index]

    def _prune(self, index: int, ready: list[int]) -> tuple[list[int], list[int]]:
        """Close the finished step and all that became needless; return both lists without them."""
        self._closed[index] = True
        ready = [later for later in ready if not self._closed[later]]
        needless: list[int] = []
        doubtful = [early for later in ready for early in self._plan.steps[later].after]
        while doubtful:
            candidate = doubtful.pop()
            if not self._closed[candidate] and self._is_needless(candidate):
                self._closed[candidate] = True
                self.open_steps -= 1
                needless.append(candidate)
                doubtful.extend(self._plan.steps[candidate].after)
        return [later for later in ready if not self._closed[later]], sorted(needless)

    def _is_needless(self, index: int) -> bool:
        return all(
            self._waiting[later] <= 0 or self._closed[later] for later in self._successors[index]
        )


_NONE: Final[list[int]] = []
