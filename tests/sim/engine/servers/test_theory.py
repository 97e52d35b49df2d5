"""Servers against the formulas of queueing theory.

Independent replications give means; the formula must lie in the 99 % confidence interval of their
mean, and a formula that is wrong must not. Formulas: Kleinrock, *Queueing Systems* I (1975),
section 3.6 (M/M/c/K) and 5.6 (Pollaczek and Khinchine); II (1976), 3.6 and 3.7 (Cobham; preemptive
resume) and 4.4 (processor sharing); Jackson 1957, doi 10.1287/opre.5.4.518; mean value analysis by
Reiser and Lavenberg 1980, doi 10.1145/322186.322195.
"""

from functools import partial
from math import factorial
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from sim.engine.clock import Clock
from sim.engine.servers.background import Background
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.noise import Empirical, Lognormal
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, RefusedError

SEEDS = range(20)
JOBS = 5000
WARM_UP = 500


def inside_99_percent(samples, expected):
    """Tell whether ``expected`` lies in the t interval of the mean of independent samples."""
    low, high = stats.t.interval(
        0.99, len(samples) - 1, loc=np.mean(samples), scale=stats.sem(samples)
    )
    return low <= expected <= high


def constant(generator):
    del generator
    return np.ones(JOBS)


def hyperexponential(generator):
    """Mean 1, squared coefficient of variation 2: long ones and short ones, as many of each."""
    means = np.where(generator.random(JOBS) < 0.5, 1 + 2**-0.5, 1 - 2**-0.5)
    return generator.exponential(means)


def exponential(generator):
    return generator.exponential(1.0, JOBS)


class Visits:
    """Poisson arrivals at a server: how long each job waited and stayed, and how many refused."""

    def __init__(self, make, seed, rate_per_s, services_s, priorities=None):
        generator = np.random.default_rng(seed)
        self.clock = Clock()
        self.server = make(self.clock, generator)
        self.arrived_s = np.cumsum(generator.exponential(1 / rate_per_s, JOBS)).tolist()
        self.stays, self.waits, self.refused = {}, {}, 0
        priorities = [0] * JOBS if priorities is None else priorities(generator)
        jobs = zip(self.arrived_s, services_s(generator).tolist(), priorities, strict=True)
        for index, (arrival_s, service_s, priority) in enumerate(jobs):
            self.clock.at(arrival_s, self.arrive, (index, Job(service_s, priority)))
        self.clock.run(until=self.arrived_s[-1])

    def arrive(self, visit):
        index, job = visit
        try:
            self.server.submit(job, partial(self.leave, job.priority), index)
        except RefusedError:
            self.refused += index >= WARM_UP

    def leave(self, priority, index, start_s):
        if index >= WARM_UP:
            self.waits.setdefault(priority, []).append(start_s - self.arrived_s[index])
            self.stays.setdefault(priority, []).append(self.clock.now - self.arrived_s[index])


def pool(clock, generator, *, slots=1, discipline="fifo", noise=None, **effects):
    noise = noise and noise(generator)
    return Pool(clock, slots, discipline, noise=noise, **effects)


@pytest.mark.parametrize("services_s", [constant, exponential, hyperexponential])
def test_shared_processors_are_insensitive_to_the_distribution(services_s):
    """M/G/1-PS: the mean stay is E[S] / (1 - load), whatever the distribution."""
    make = partial(pool, discipline="processor-sharing")
    stays = [fmean(Visits(make, seed, 0.6, services_s).stays[0]) for seed in SEEDS]
    assert inside_99_percent(stays, 1 / (1 - 0.6))
    assert not inside_99_percent(stays, 1.2 / (1 - 0.6))


@pytest.mark.parametrize(
    ("services_s", "noise", "cv_squared"),
    [
        (constant, partial(Lognormal, 0.5), 0.25),
        (constant, partial(Empirical, (0.5, 1.5)), 0.25),
        (hyperexponential, None, 2.0),
    ],
)  # fmt: skip
def test_waits_are_those_of_pollaczek_and_khinchine(services_s, noise, cv_squared):
    """M/G/1: the mean wait is load × E[S] (1 + cv²) / 2 (1 - load); noise is a distribution."""
    make = partial(pool, noise=noise)
    waits = [fmean(Visits(make, seed, 0.6, services_s).waits[0]) for seed in SEEDS]
    expected = 0.6 * (1 + cv_squared) / (2 * (1 - 0.6))
    assert inside_99_percent(waits, expected)
    assert not inside_99_percent(waits, 1.2 * expected)


def blocking(slots, limit, offered):
    """The probability that M/M/c/K is full."""
    weights = [
        offered**n / factorial(min(n, slots)) / slots ** max(0, n - slots)
        for n in range(limit + 1)
    ]  # fmt: skip
    return weights[-1] / sum(weights)


def test_a_limited_queue_loses_as_erlang_says():
    make = partial(pool, slots=2, limit=4)
    visits = [Visits(make, seed, 1.8, exponential) for seed in SEEDS]
    losses = [one.refused / (JOBS - WARM_UP) for one in visits]
    assert inside_99_percent(losses, blocking(2, 4, 1.8))
    assert not inside_99_percent(losses, blocking(2, 5, 1.8))
    assert not inside_99_percent(losses, blocking(2, 3, 1.8))


LOADS = {2: 0.2, 1: 0.3, 0: 0.2}


def drawn_priorities(generator):
    shares = [load / sum(LOADS.values()) for load in LOADS.values()]
    return generator.choice(list(LOADS), JOBS, p=shares).tolist()


def loads_above(priority):
    return sum(load for other, load in LOADS.items() if other > priority)


def test_waits_by_priority_are_cobhams():
    """Without preemption: W = load × E[S] / ((1 - loads above) (1 - loads above and own))."""
    make = partial(pool, discipline="priority")
    rate_per_s = sum(LOADS.values())
    visits = [Visits(make, seed, rate_per_s, exponential, drawn_priorities) for seed in SEEDS]
    for priority, load in LOADS.items():
        above = loads_above(priority)
        waits = [fmean(one.waits[priority]) for one in visits]
        assert inside_99_percent(waits, rate_per_s / ((1 - above) * (1 - above - load)))
        assert not inside_99_percent(waits, rate_per_s / (1 - rate_per_s))


def test_stays_under_preemption_are_those_of_preemptive_resume():
    """T = E[S] / (1 - above) + sum(loads to own) E[S] / ((1 - above) (1 - above and own))."""
    make = partial(pool, discipline="preemptive-priority")
    rate_per_s = sum(LOADS.values())
    visits = [Visits(make, seed, rate_per_s, exponential, drawn_priorities) for seed in SEEDS]
    for priority, load in LOADS.items():
        above = loads_above(priority)
        stays = [fmean(one.stays[priority]) for one in visits]
        expected = 1 / (1 - above) + (above + load) / ((1 - above) * (1 - above - load))
        assert inside_99_percent(stays, expected)
        assert not inside_99_percent(stays, 1.15 * expected)


def test_other_tenants_are_the_load_they_are_said_to_be():
    """Ours and theirs are one M/M/1 of the sum of both loads."""

    def make(clock, generator):
        shared = Pool(clock)
        Background(clock, shared, 0.3, 1.0, 0, generator)
        return shared

    visits = [Visits(make, seed, 0.3, exponential) for seed in SEEDS]
    waits = [fmean(one.waits[0]) for one in visits]
    assert inside_99_percent(waits, 0.6 / (1 - 0.6))
    assert not inside_99_percent(waits, 0.3 / (1 - 0.3))
    shares = [one.server.others_s / one.clock.now for one in visits]
    assert inside_99_percent(shares, 0.3)
    assert inside_99_percent([one.server.busy_s / one.clock.now for one in visits], 0.3)


def mean_time_in_network(seed):
    """Three stations: in at the first, on to the second or the third, a quarter back again."""
    generator = np.random.default_rng(seed)
    clock, times = Clock(), []
    first, second, third = Fifo(clock), Pool(clock, 2), Pool(clock, 1, "processor-sharing")

    def arrive(index):
        clock.at(clock.now + generator.exponential(1 / 0.45), arrive, index + 1)
        enter((index, clock.now))

    def enter(visit, _=0.0):
        first.submit(Job(generator.exponential(1.0)), onward, visit)

    def onward(visit, _):
        station, mean_s = (second, 2.0) if generator.random() < 0.6 else (third, 2.0)
        station.submit(Job(generator.exponential(mean_s)), back, visit)

    def back(visit, start_s):
        if generator.random() < 0.25:
            enter(visit, start_s)
        elif visit[0] >= WARM_UP:
            times.append(clock.now - visit[1])

    arrive(0)
    clock.run(until=JOBS / 0.45)
    return fmean(times)


def test_an_open_network_is_jacksons():
    """Station by station as if alone: rates are the traffic equations' 0.6, 0.36 and 0.24."""
    numbers = [0.6 / 0.4, 2 * 0.36 / (1 - 0.36**2), 0.48 / 0.52]
    times = [mean_time_in_network(seed) for seed in SEEDS]
    assert inside_99_percent(times, sum(numbers) / 0.45)
    assert not inside_99_percent(times, 1.1 * sum(numbers) / 0.45)


def throughput(seed, customers, think_s, horizon_s=6000.0):
    """Of customers that think, are served in order, share a processor, and think again."""
    generator = np.random.default_rng(seed)
    clock, ended = Clock(), []
    first, second = Fifo(clock), Pool(clock, 1, "processor-sharing")

    def think(customer, _=0.0):
        ended.append(clock.now)
        clock.at(clock.now + generator.exponential(think_s), enter, customer)

    def enter(customer):
        first.submit(Job(generator.exponential(1.0)), onward, customer)

    def onward(customer, _):
        second.submit(Job(hyperexponential_draw(generator, 0.7)), think, customer)

    for customer in range(customers):
        think(customer)
    clock.run(until=horizon_s)
    return sum(1 for end_s in ended if end_s > horizon_s / 10) / (horizon_s * 0.9)


def hyperexponential_draw(generator, mean_s):
    return generator.exponential(mean_s * (1 + 2**-0.5 * (1 if generator.random() < 0.5 else -1)))


def mean_value_analysis(customers, think_s, demands_s):
    lengths, rate_per_s = [0.0] * len(demands_s), 0.0
    for present in range(1, customers + 1):
        times = [s * (1 + length) for s, length in zip(demands_s, lengths, strict=True)]
        rate_per_s = present / (think_s + sum(times))
        lengths = [rate_per_s * time_s for time_s in times]
    return rate_per_s


def test_a_closed_network_is_that_of_mean_value_analysis():
    rates = [throughput(seed, 5, 3.0) for seed in SEEDS]
    assert inside_99_percent(rates, mean_value_analysis(5, 3.0, (1.0, 0.7)))
    assert not inside_99_percent(rates, mean_value_analysis(6, 3.0, (1.0, 0.7)))
