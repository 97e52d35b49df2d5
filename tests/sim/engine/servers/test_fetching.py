"""Cold starts over the network of the small world: 30 ms from a to the edge, at 1 MB/s."""

from dataclasses import replace

import numpy as np
import pytest

from sim.cost import Roofline
from sim.engine.servers.fetching import Fetcher
from sim.engine.servers.server import Job, RefusedError
from sim.engine.world import World
from tests.conftest import small_topology
from topologies.serving import Batching, ColdStart, MemoryLimit, Serving

FROM_A = ColdStart(source="a")
BOTH = (("one", 1e6), ("two", 2e6))


def generators(purpose):
    return np.random.default_rng(list(purpose.encode()))


class Log(list):
    """(job, start, end) of the jobs that were done on the edge."""

    def __init__(self, **serving):
        small = small_topology()
        edge = replace(small.nodes[0], serving=Serving(**{"cold_start": FROM_A, **serving}))
        topology = replace(small, nodes=(edge, *small.nodes[1:]))
        self.world = World(topology, Roofline(), generators)
        self.clock = self.world.clock
        self.device = self.world.devices["edge"]
        assert isinstance(self.device, Fetcher)

    def submit(self, name, service_s=1.0, weights=(("one", 1e6),), **needs):
        job = Job(service_s, weights=weights, **needs)
        return self.device.submit(job, self.done, name)

    def at(self, when_s, call, *arguments, **options):
        self.clock.at(when_s, lambda _: call(*arguments, **options), None)

    def done(self, name, start_s):
        self.append((name, start_s, self.clock.now))

    def run(self):
        self.clock.run()
        return [
            (name, pytest.approx(start_s), pytest.approx(end_s)) for name, start_s, end_s in self
        ]

    @property
    def brought_bytes(self):
        return sum(self.world.transport.carried_bytes) / 2  # over two channels


def test_the_first_waits_for_the_weights_and_those_after_it_find_them():
    log = Log()
    log.submit("first")
    log.at(0.5, log.submit, "second")
    log.at(5.0, log.submit, "third")
    assert log.run() == [("first", 1.03, 2.03), ("second", 2.03, 3.03), ("third", 5.0, 6.0)]
    assert log.brought_bytes == pytest.approx(1e6)
    assert log.device.busy_s == pytest.approx(3.0)


def test_who_waits_for_weights_holds_no_slot():
    log = Log()
    turn = log.submit("cold")
    log.submit("needs none", weights=())
    log.clock.run(until=0.5)
    assert (log.device.running, log.device.waiting) == (1, 1)
    assert log.device.backlog_s == pytest.approx(1.5)
    assert log.run() == [("needs none", 0.0, 1.0), ("cold", 1.03, 2.03)]
    assert turn.held_s == pytest.approx(1.0)


def test_all_weights_of_a_job_come_together_and_share_the_links():
    log = Log()
    log.submit("both", weights=BOTH)
    log.submit("one")
    assert log.run() == [("one", 2.03, 3.03), ("both", 3.03, 4.03)]
    assert log.brought_bytes == pytest.approx(3e6)


def test_any_other_transfer_slows_the_load_down():
    log = Log()
    log.world.transport.send("b", "edge", 1e6, lambda _: None, None)
    log.submit("cold")
    log.clock.run()
    assert log[0][1] == pytest.approx(2.03 - 0.01, abs=0.02)


def test_weights_that_made_room_for_others_come_again():
    log = Log(memory=MemoryLimit(2 * 10**6))
    log.submit("a")
    log.at(3.0, log.submit, "b", weights=(("two", 2e6),))
    log.at(7.0, log.submit, "c")
    assert log.run() == [("a", 1.03, 2.03), ("b", 5.03, 6.03), ("c", 8.03, 9.03)]


def test_a_cancelled_job_leaves_its_weights_on_their_way():
    log = Log()
    turns = [log.submit("cancelled", weights=BOTH), log.submit("served")]
    log.at(0.5, lambda: log.extend([log.device.cancel(turns[0]), log.device.cancel(turns[0])]))
    log.at(9.0, log.submit, "late", weights=BOTH)
    log.clock.run()
    assert log == [True, False, ("served", pytest.approx(2.03), pytest.approx(3.03)),
                   ("late", 9.0, 10.0)]  # fmt: skip


def test_a_job_in_service_can_be_cancelled_too():
    log = Log()
    turn = log.submit("cancelled")
    log.submit("next")
    log.at(1.53, log.device.cancel, turn)
    assert log.run() == [("next", 1.53, 2.53)]
    assert (turn.start_s, turn.held_s) == (pytest.approx(1.03), pytest.approx(0.5))


def test_a_crash_loses_who_waits_and_what_is_on_its_way():
    log = Log()
    log.submit("served", weights=())
    log.submit("waiting")
    log.clock.run(until=0.53)
    assert log.device.fail() == ["served", "waiting"]
    with pytest.raises(RefusedError, match="down"):
        log.submit("too early")
    log.device.recover()
    log.submit("again")
    assert log.run() == [("again", 1.56, 2.56)]
    assert log.brought_bytes == pytest.approx(1.51e6)  # 0.51 s of the first on the access link


def test_a_device_that_hangs_takes_nothing_in():
    log = Log()
    log.submit("early")
    log.at(0.53, log.device.hang)
    log.at(0.6, log.submit, "late", weights=(("two", 1e6),))
    log.at(2.53, log.device.resume)
    assert log.run() == [("early", 3.52, 4.52), ("late", 4.52, 5.52)]


def test_the_limit_counts_who_waits_for_weights():
    log = Log(limit=2)
    log.submit("a")
    log.submit("b", weights=())
    with pytest.raises(RefusedError, match="full: it takes 2"):
        log.submit("c")
    assert len(log.run()) == 2


def test_jobs_whose_weights_have_come_are_served_as_a_batch():
    log = Log(batch=Batching(2, wait_s=0.5))
    for name in "ab":
        log.submit(name, kind=0, batch_s=(1.0, 1.5))
    assert log.run() == [("a", 1.03, 2.53), ("b", 1.03, 2.53)]
