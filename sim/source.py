"""Where the requests of a run come from: known in advance, or each the answer to another's end.

The one seam for both runners: whoever runs a scenario takes the `Source.first` requests and asks
for the one `Source.after` each that has ended.
"""

from sim.runner import Scenario
from workloads.arrivals import Closed
from workloads.stage import Request


class Source:
    """The requests of one replication of ``scenario``: ``workload.requests`` in all, numbered."""

    def __init__(self, scenario: Scenario, replication: int = 0) -> None:
        workload = scenario.workload
        arrivals = workload.arrivals
        self._first = list(scenario.requests(replication))
        self._models = scenario.models(replication)
        self._think_s = arrivals.think_s if isinstance(arrivals, Closed) else 0.0
        self._sent = len(self._first)
        self._total = workload.requests

    def first(self) -> list[Request]:
        """Return what is known in advance, in the order of time.

        That is all there is of an open workload, and of a closed one what its clients begin with.
        """
        return self._first

    def after(self, ended: Request, now_s: float) -> Request | None:
        """Return what the client of ``ended``, which ended now, sends next, and when.

        `None` in an open workload, and where there have been enough requests.
        """
        if self._sent == self._total:
            return None
        index = self._sent
        self._sent += 1
        model = self._models[index] if self._models else ended.model
        return Request(index, now_s + self._think_s, ended.origin, model)
