"""Closed loops in the simulator: by hand, and against mean value analysis.

Reiser and Lavenberg 1980, doi 10.1145/322186.322195. Thinking is a station of as many servers as
there are clients, of which only the mean counts (Baskett et al. 1975, doi 10.1145/321879.321887),
so that a constant time to think serves as well as an exponential one.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan
from sim.policy import Progress, View
from sim.trace import FAILED
from tests.conftest import MakeScenario, Scripted, TwoParts
from tests.sim.engine.servers.test_theory import inside_99_percent, mean_value_analysis
from workloads.arrivals import Closed
from workloads.stage import Request, Stage
from workloads.workload import Workload

ONE_SECOND = Plan((Compute("edge", (Stage("work", 1e12, 0.0),)),))


@dataclass(frozen=True)
class Exponential:
    """A policy whose computations on the edge take an exponential time of a second on average."""

    seed: int
    reads_load = False

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del progress, view
        rng = np.random.default_rng([self.seed, request.index])
        return Plan((Compute("edge", (Stage("work", rng.exponential(1e12), 0.0),)),))


def closed(clients: int, think_s: float, requests: int) -> Workload:
    return Workload(TwoParts(), Closed(clients, think_s), requests)


def test_two_clients_of_one_device_wait_for_each_other(make_scenario: MakeScenario) -> None:
    """The second waits for the first, which thinks half a second while the second is served."""
    scenario = make_scenario(Scripted((ONE_SECOND,)), workload=closed(2, 0.5, 5), view_age_s=0.1)
    trace = Simulator().run(scenario)
    times = [(o.request.arrival_s, o.end_s) for o in trace.outcomes]
    assert times == [(0.0, 1.0), (0.0, 2.0), (1.5, 3.0), (2.5, 4.0), (3.5, 5.0)]


def test_a_client_that_was_given_up_goes_on_too(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((ONE_SECOND,)), workload=closed(1, 1.0, 3), patience_s=0.5)
    trace = Simulator().run(scenario)
    assert [(o.request.arrival_s, o.end_s, o.outcome) for o in trace.outcomes] == [
        (0.0, 0.5, FAILED),
        (1.5, 2.0, FAILED),
        (3.0, 3.5, FAILED),
    ]


@pytest.mark.parametrize(("clients", "think_s"), [(4, 3.0), (2, 1.0)])
def test_throughput_is_that_of_mean_value_analysis(
    make_scenario: MakeScenario, clients: int, think_s: float
) -> None:
    rates = []
    for seed in range(15):
        scenario = make_scenario(Exponential(seed), workload=closed(clients, think_s, 1500))
        ends_s = np.sort([o.end_s for o in Simulator().run(scenario).outcomes])[100:-clients]
        rates.append((len(ends_s) - 1) / (ends_s[-1] - ends_s[0]))
    assert inside_99_percent(rates, mean_value_analysis(clients, think_s, (1.0,)))
    assert not inside_99_percent(rates, mean_value_analysis(clients + 1, think_s, (1.0,)))
