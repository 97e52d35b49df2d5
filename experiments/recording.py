"""A runner that keeps what befell its runs, whoever looks at the traces."""

from sim.runner import Runner, Scenario
from sim.trace import Incident, Sink, Trace


class Recording:
    """Runs as ``runner`` does and remembers the incidents of all runs."""

    def __init__(self, runner: Runner) -> None:
        self.incidents: list[Incident] = []
        self._runner = runner

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        """Run one replication; see `sim.runner.Runner`."""
        trace = self._runner.run(scenario, replication, sink)
        self.incidents += trace.incidents
        return trace
