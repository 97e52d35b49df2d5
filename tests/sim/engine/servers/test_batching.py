import math

import pytest

from sim.engine.clock import Clock
from sim.engine.servers.batching import Batcher
from sim.engine.servers.memory import Memory
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, RefusedError

TIMES_S = (1.0, 1.5, 1.75, 2.0)


class Log(list):
    """(job, start, end) of the jobs that were done."""

    def __init__(self, wait_s=0.0, slots=1, limit=math.inf, **effects):
        self.clock = Clock()
        self.device = Batcher(self.clock, Pool(self.clock, slots, **effects), wait_s, limit)
        self.turns = {}

    def submit(self, name, kind=0, batch_s=TIMES_S, **needs):
        job = Job(batch_s[0], kind=kind, batch_s=batch_s, **needs)
        self.turns[name] = self.device.submit(job, self.done, name)
        return self.turns[name]

    def submit_at(self, when_s, *names, **needs):
        self.clock.at(when_s, lambda _: [self.submit(name, **needs) for name in names], None)

    def done(self, name, start_s):
        self.append((name, start_s, self.clock.now))


def test_jobs_that_find_the_device_busy_are_served_together():
    log = Log()
    for name in "abc":
        log.submit(name)
    assert (log.device.running, log.device.waiting, log.device.backlog_s) == (1, 2, 2.5)
    log.clock.run()
    assert log == [("a", 0.0, 1.0), ("b", 1.0, 2.5), ("c", 1.0, 2.5)]
    assert log.device.busy_s == sum(turn.held_s for turn in log.turns.values()) == 2.5


def test_the_first_waits_for_others_up_to_the_bound():
    log = Log(wait_s=2.0)
    log.submit("a")
    log.submit_at(1.0, "b")
    log.submit_at(5.0, "late")
    log.clock.run()
    assert log == [("a", 2.0, 3.5), ("b", 2.0, 3.5), ("late", 7.0, 8.0)]


def test_a_full_batch_waits_no_longer_and_the_next_opens_another():
    log = Log(wait_s=10.0)
    log.submit_at(1.0, *"abcde")
    log.clock.run()
    assert log[:4] == [(name, 1.0, 3.0) for name in "abcd"]
    assert log[4:] == [("e", 11.0, 12.0)]


def test_a_batch_grows_until_the_device_takes_it_up():
    log = Log(wait_s=1.0)
    log.submit("a")
    log.submit_at(1.5, "b")
    log.submit_at(1.75, "c", "d")
    log.clock.run()
    assert log == [("a", 1.0, 2.0)] + [(name, 2.5, 4.25) for name in "bcd"]
    assert log.clock.now == 4.25


def test_other_kinds_and_jobs_without_batches_go_their_own_way():
    log = Log(slots=4)
    log.submit("a", kind=1)
    log.submit("alone", kind=-1)
    log.submit("single", kind=3, batch_s=(1.0,))
    log.submit("b", kind=2)
    assert (log.device.running, log.device.waiting) == (4, 0)
    log.clock.run()
    assert log == [(name, 0.0, 1.0) for name in ("a", "alone", "single", "b")]


def test_one_that_leaves_shortens_only_a_batch_that_has_not_begun():
    log = Log()
    for name in "abcd":
        log.submit(name)
    assert log.device.cancel(log.turns["b"])
    assert not log.device.cancel(log.turns["b"])
    log.clock.at(1.5, log.device.cancel, log.turns["c"])
    log.clock.run()
    assert log == [("a", 0.0, 1.0), ("d", 1.0, 2.5)]
    assert log.turns["c"].start_s == 1.0
    assert log.device.busy_s == sum(turn.held_s for turn in log.turns.values()) == 2.5


def test_a_batch_that_all_have_left_is_given_up():
    log = Log(wait_s=4.0)
    log.submit("gathering")
    log.device.cancel(log.turns["gathering"])
    assert log.device.waiting == 0
    for name in "abcd":
        log.submit(name)
    log.clock.run(until=1.0)
    for name in "abcd":
        assert log.device.cancel(log.turns[name])
    assert (log.device.running, log.device.busy_s, log.turns["d"].held_s) == (0, 1.0, 1.0)
    log.submit("next")
    log.clock.run()
    assert log == [("next", 5.0, 6.0)]


def test_a_member_may_cancel_another_of_its_batch_when_it_ends():
    log = Log()
    log.submit("first")
    log.device.submit(
        Job(1.0, kind=0, batch_s=TIMES_S), lambda *_: log.device.cancel(log.turns["b"]), "a"
    )
    log.submit("b")
    log.clock.run()
    assert log == [("first", 0.0, 1.0)]


def test_a_crash_loses_members_in_service_in_queue_and_gathering():
    log = Log(wait_s=2.0)
    for name in "abcdefgh":
        log.submit(name)
    log.submit_at(0.5, "i")
    log.submit_at(0.5, "alone", kind=-1)
    lost = []
    log.clock.at(1.0, lambda _: lost.extend(log.device.fail()), None)
    log.clock.run()
    assert log == []
    assert lost == [*"abcdefgh", "alone", "i"]
    assert log.turns["a"].start_s == 0.0
    assert log.turns["a"].held_s == 0.25
    assert math.isnan(log.turns["e"].start_s)
    assert not log.device.up
    with pytest.raises(RefusedError, match="the device is down"):
        log.submit("again")
    log.device.recover()
    log.submit("again")
    log.clock.run()
    assert log == [("again", 3.0, 4.0)]


def test_the_limit_counts_members():
    log = Log(wait_s=1.0, limit=3)
    for name in "ab":
        log.submit(name)
    log.submit("alone", kind=-1)
    with pytest.raises(RefusedError, match="the device is full: it takes 3 jobs at once"):
        log.submit("c")
    log.clock.run()
    log.submit("c")


def test_a_batch_needs_the_working_sets_of_all_its_members():
    log = Log(slots=2, memory=Memory(limit_bytes=9.0))
    log.submit("a", working_bytes=3.0)
    log.submit("other", kind=1, working_bytes=3.0)
    for name in "bc":
        log.submit(name, working_bytes=3.0)
    log.clock.run()
    assert log[2:] == [("b", 1.0, 2.5), ("c", 1.0, 2.5)]


def test_speed_reaches_the_batch_in_service():
    log = Log()
    log.submit("a")
    log.clock.at(0.5, log.device.set_speed, 0.25)
    log.clock.run()
    assert log == [("a", 0.0, 2.5)]


def test_batches_stand_still_with_the_device():
    log = Log()
    for name in "abc":
        log.submit(name)
    log.clock.at(0.5, lambda _: log.device.hang(), None)
    log.submit_at(1.0, "d")
    log.clock.at(1.5, lambda _: log.device.resume(), None)
    log.clock.run()
    assert log == [("a", 0.0, 2.0), ("b", 2.0, 3.75), ("c", 2.0, 3.75), ("d", 2.0, 3.75)]
