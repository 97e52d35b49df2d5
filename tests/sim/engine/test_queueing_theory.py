"""Waiting times against the formulas of queueing theory.

Thirty independent replications give thirty means; the formula must lie in the 99 % confidence
interval of their mean, and a formula that is wrong must not. Formulas: Kleinrock, *Queueing
Systems* I (1975): M/M/1 section 3.2, M/M/c section 3.5 (Erlang C), M/D/1 from Pollaczek and
Khinchine, section 5.6; II (1976), section 4.4 for processor sharing.
"""

from math import factorial
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from sim.engine.clock import Clock
from sim.engine.network import Network
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.server import Job

SEEDS = range(30)
JOBS = 8000
WARM_UP = 1000


def inside_99_percent(samples, expected):
    """Tell whether ``expected`` lies in the t interval of the mean of independent samples."""
    low, high = stats.t.interval(
        0.99, len(samples) - 1, loc=np.mean(samples), scale=stats.sem(samples)
    )
    return low <= expected <= high


def exponential(generator, mean):
    return generator.exponential(mean, JOBS).tolist()


def constant(_, mean):
    return [mean] * JOBS


def waits(seed, slots, load, services=exponential):
    """Mean wait in queue, in mean service times, of one replication."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1.0 / (load * slots), JOBS)).tolist()
    clock, waited = Clock(), []
    device = Fifo(clock, slots)

    def arrive(job):
        index, service_s = job
        device.submit(Job(service_s), served, index)

    def served(index, start_s):
        if index >= WARM_UP:
            waited.append(start_s - arrivals[index])

    for index, service_s in enumerate(services(generator, 1.0)):
        clock.at(arrivals[index], arrive, (index, service_s))
    clock.run()
    return fmean(waited)


def erlang_c(slots, load):
    """Return the mean wait of M/M/c in mean service times."""
    offered = slots * load
    tail = offered**slots / factorial(slots) / (1 - load)
    waiting = tail / (sum(offered**k / factorial(k) for k in range(slots)) + tail)
    return waiting / (slots * (1 - load))


def test_mm1_waits():
    samples = [waits(seed, 1, 0.6) for seed in SEEDS]
    assert inside_99_percent(samples, 0.6 / (1 - 0.6))
    assert not inside_99_percent(samples, 0.6 / (2 * (1 - 0.6)))


def test_mmc_waits():
    samples = [waits(seed, 4, 0.8) for seed in SEEDS]
    assert inside_99_percent(samples, erlang_c(4, 0.8))
    assert not inside_99_percent(samples, 0.8 / (1 - 0.8) / 4)


def test_erlang_c_of_one_slot_is_mm1():
    assert erlang_c(1, 0.6) == pytest.approx(1.5)


def test_md1_waits():
    samples = [waits(seed, 1, 0.7, constant) for seed in SEEDS]
    assert inside_99_percent(samples, 0.7 / (2 * (1 - 0.7)))
    assert not inside_99_percent(samples, 0.7 / (1 - 0.7))


def number_in_system(seed, load):
    """Mean number in an M/M/1 system, arrival rate times mean time in it, and utilisation."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1 / load, JOBS)).tolist()
    clock, times_in_system = Clock(), []
    device = Fifo(clock)
    area, last_s = 0.0, 0.0

    def count(just_left):
        nonlocal area, last_s
        area += (device.waiting + device.running + just_left) * (clock.now - last_s)
        last_s = clock.now

    def arrive(service_s):
        count(0)
        device.submit(Job(service_s), served, clock.now)

    def served(arrived_s, _):
        count(1)
        times_in_system.append(clock.now - arrived_s)

    for arrival_s, service_s in zip(arrivals, exponential(generator, 1.0), strict=True):
        clock.at(arrival_s, arrive, service_s)
    clock.run()
    return area / clock.now, JOBS / clock.now * fmean(times_in_system), device.busy_s / clock.now


def test_littles_law():
    """The mean number in the system is arrival rate times mean time in it, to the last bits."""
    populations, products, loads = zip(
        *[number_in_system(seed, 0.6) for seed in SEEDS], strict=True
    )
    assert populations == pytest.approx(products, rel=1e-9)
    assert inside_99_percent(populations, 0.6 / (1 - 0.6))
    assert inside_99_percent(loads, 0.6)


def times_on_shared_link(seed, load, services):
    """Mean time in system, in mean transfer times, of flows that share one link."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1 / load, JOBS)).tolist()
    clock, times = Clock(), []
    network = Network(clock, [1e6])

    def arrive(size_bytes):
        network.start((0,), size_bytes, 0.0, ended, clock.now)

    def ended(started_s):
        times.append(clock.now - started_s)

    for arrival_s, size_bytes in zip(arrivals, services(generator, 1e6), strict=True):
        clock.at(arrival_s, arrive, size_bytes)
    clock.run()
    return fmean(times[WARM_UP:])


@pytest.mark.parametrize("services", [exponential, constant])
def test_a_shared_link_is_mg1_processor_sharing(services):
    """Mean time in system is E[S] / (1 - load), whatever the distribution of sizes."""
    samples = [times_on_shared_link(seed, 0.6, services) for seed in SEEDS]
    assert inside_99_percent(samples, 1 / (1 - 0.6))
    assert not inside_99_percent(samples, 1.1 / (1 - 0.6))
