"""Who looks at the world for the policies: load and beliefs, as fresh as the scenario allows."""

from collections import deque

from real_runner.orchestration.beliefs import Beliefs
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.loads import Loads
from sim.endings import Endings
from sim.plan import Step, Transfer
from sim.policy import View, aged
from sim.runner import Scenario
from sim.unread import UnreadBacklog, UnreadFlows

_NO_BACKLOG, _NO_FLOWS = UnreadBacklog(), UnreadFlows()


class Observer:
    """Takes the snapshots that policies decide on.

    A view is ``scenario.view_age_s`` old or a little older: one is kept per call of `take`.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._clock = clock
        self._age_s = scenario.view_age_s
        self._reads_load = getattr(scenario.policy, "reads_load", True)
        self._beliefs = Beliefs(scenario.topology, scenario.cost)
        self._loads = Loads(scenario.topology)
        self.endings = Endings(scenario.policy)
        """How requests ended lately."""
        self._taken: deque[View] = deque()
        self.down: frozenset[str] = frozenset()
        """Who is believed to be gone."""

    def load(self, step: Step, expected_s: float, sign: int = 1) -> None:
        """Count a step that begins; with ``sign`` -1 one that has ended."""
        self._loads.add(step, expected_s, sign)

    def carried(self, step: Transfer, start_s: float, end_s: float, size_bytes: float) -> None:
        """Learn from a transfer that has arrived."""
        self._beliefs.carried(step, start_s, end_s, size_bytes)

    def reconsider(self) -> None:
        """Believe what has been measured so far, where it is something else."""
        self._beliefs.reconsider(self._clock.now_s)

    def set_down(self, nodes: frozenset[str]) -> None:
        """Believe that these nodes are gone, and no others."""
        self.down = nodes
        self._beliefs.set_down(nodes)

    def set_out(self, channels: frozenset[int]) -> None:
        """Believe that nothing passes on these channels."""
        self._beliefs.set_out(channels)

    def take(self) -> None:
        """Keep a snapshot for later; to be called again and again."""
        if self._age_s > 0:
            self._taken.append(self._snapshot())

    def view(self) -> View:
        """Return the newest snapshot that is old enough; the oldest there is, at the beginning."""
        now = self._snapshot()
        while len(self._taken) > 1 and self._taken[1].now_s <= now.now_s - self._age_s:
            self._taken.popleft()
        if not self._taken:
            return now
        seen = self._taken[0]
        age_s = now.now_s - seen.now_s
        estimates = aged(seen.estimates, now.estimates)
        return View(now.now_s, age_s, estimates, seen.backlog_s, seen.channel_flows, seen.endings)

    def _snapshot(self) -> View:
        now_s, estimates, endings = self._clock.now_s, self._beliefs.estimates, self.endings.last
        if not self._reads_load:
            return View(now_s, 0.0, estimates, _NO_BACKLOG, _NO_FLOWS, endings)
        loads = self._loads
        return View(now_s, 0.0, estimates, loads.backlog_s, loads.channel_flows, endings)
