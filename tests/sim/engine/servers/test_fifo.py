"""Device queues by hand; `test_queueing_theory` holds them against formulas."""

import math

import pytest

from sim.engine.clock import Clock
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.server import Job, RefusedError


class Log(list):
    """(job, start, end) of the jobs that were done."""

    def __init__(self, slots=1):
        self.clock = Clock()
        self.device = Fifo(self.clock, slots)

    def at(self, when_s, call, *arguments):
        self.clock.at(when_s, lambda _: call(*arguments), None)

    def submit(self, name, service_s):
        return self.device.submit(Job(service_s), self.done, name)

    def done(self, name, start_s):
        self.append((name, start_s, self.clock.now))


def test_one_slot_serves_in_order_of_submission():
    log = Log()
    for name, service_s in [("a", 2.0), ("b", 1.0), ("c", 0.0)]:
        log.submit(name, service_s)
    assert (log.device.waiting, log.device.running, log.device.backlog_s) == (2, 1, 3.0)
    log.clock.run()
    assert log == [("a", 0.0, 2.0), ("b", 2.0, 3.0), ("c", 3.0, 3.0)]
    assert (log.device.waiting, log.device.running, log.device.backlog_s) == (0, 0, 0.0)


def test_two_slots_serve_two_at_once():
    log = Log(slots=2)
    for name, service_s in [("a", 3.0), ("b", 1.0), ("c", 1.0)]:
        log.submit(name, service_s)
    log.clock.run()
    assert log == [("b", 0.0, 1.0), ("c", 1.0, 2.0), ("a", 0.0, 3.0)]
    assert log.device.busy_s == 5.0


def test_a_thousand_one_second_jobs_end_at_a_thousand_seconds():
    log = Log()
    for name in range(1000):
        log.submit(name, 1.0)
    log.clock.run()
    assert log[-1] == (999, 999.0, 1000.0)


def test_busy_time_and_backlog_count_the_job_in_service_up_to_now():
    log = Log()
    log.submit("a", 4.0)
    log.submit("b", 2.0)
    log.clock.run(until=3.0)
    assert (log.device.busy_s, log.device.backlog_s) == (3.0, 3.0)


def test_cancelling_a_waiting_job_keeps_the_order():
    log = Log()
    log.submit("a", 1.0)
    waiting = log.submit("b", 5.0)
    log.submit("c", 1.0)
    assert log.device.cancel(waiting)
    assert not log.device.cancel(waiting)
    log.clock.run()
    assert log == [("a", 0.0, 1.0), ("c", 1.0, 2.0)]
    assert math.isnan(waiting.start_s)


def test_cancelling_the_job_in_service_starts_the_next_at_once():
    log = Log()
    running = log.submit("a", 10.0)
    log.submit("b", 1.0)
    log.clock.at(4.0, log.device.cancel, running)
    log.clock.run()
    assert log == [("b", 4.0, 5.0)]
    assert (log.device.busy_s, log.clock.now) == (5.0, 5.0)
    assert not log.device.cancel(running)


def test_done_may_submit_again_behind_those_who_wait():
    log = Log()

    def again(name, start_s):
        log.done(name, start_s)
        log.submit("again", 1.0)

    log.device.submit(Job(1.0), again, "first")
    log.submit("second", 1.0)
    log.clock.run()
    assert [name for name, *_ in log] == ["first", "second", "again"]


@pytest.mark.parametrize("service_s", [-1.0, math.nan])
def test_impossible_service_times_are_refused(service_s):
    with pytest.raises(ValueError, match="service_s is"):
        Log().submit("a", service_s)


def test_a_device_needs_a_slot():
    with pytest.raises(ValueError, match="slots is 0"):
        Fifo(Clock(), 0)


def test_a_crash_loses_what_runs_and_waits_and_calls_nobody():
    log = Log(slots=2)
    for name, service_s in [("a", 3.0), ("b", 1.0), ("c", 4.0), ("d", 1.0)]:
        log.submit(name, service_s)
    lost = []
    log.clock.at(2.0, lambda _: lost.extend(log.device.fail()), None)
    log.clock.run()
    assert (log, lost) == ([("b", 0.0, 1.0)], ["a", "c", "d"])
    assert (log.device.waiting, log.device.running, log.device.backlog_s) == (0, 0, 0.0)
    assert (log.device.busy_s, log.clock.now) == (4.0, 2.0)


def test_a_device_that_is_down_accepts_nothing_until_it_recovers():
    log = Log()
    assert log.device.up
    assert log.device.fail() == log.device.fail() == []
    with pytest.raises(RefusedError, match="the device is down"):
        log.submit("a", 1.0)
    assert not log.device.up
    log.device.recover()
    log.submit("b", 1.0)
    log.clock.run()
    assert log == [("b", 0.0, 1.0)]


def test_a_job_in_service_slows_down_and_speeds_up_from_the_moment_on():
    """Two of six seconds at full speed, two at half speed make one, the last three take 1.5."""
    log = Log()
    log.submit("a", 6.0)
    log.submit("b", 2.0)
    seen = []
    for when_s, factor in [(2.0, 0.5), (4.0, 2.0)]:
        log.clock.at(when_s, log.device.set_speed, factor)
        log.clock.at(when_s, lambda _: seen.append(log.device.backlog_s), None)
    log.clock.run()
    assert log == [("a", 0.0, 5.5), ("b", 5.5, 6.5)]
    assert seen == [6.0, 5.0]
    assert log.device.busy_s == 6.5


def test_speed_outlives_a_crash():
    log = Log()
    log.device.set_speed(0.5)
    log.device.fail()
    log.device.recover()
    log.submit("a", 1.0)
    log.clock.run()
    assert log == [("a", 0.0, 2.0)]


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_impossible_speeds_are_refused(factor):
    with pytest.raises(ValueError, match="factor is"):
        Log().device.set_speed(factor)


def test_a_device_that_hangs_goes_on_where_it_stood():
    log = Log()
    log.submit("a", 2.0)
    log.submit("b", 1.0)
    log.at(0.5, log.device.hang)
    log.at(1.0, log.submit, "c", 1.0)
    log.clock.run(until=1.5)
    assert log.device.up
    assert (log.device.running, log.device.waiting, log.device.backlog_s) == (1, 2, 3.5)
    log.at(2.5, log.device.resume)
    log.clock.run()
    assert log == [("a", 0.0, 4.0), ("b", 4.0, 5.0), ("c", 5.0, 6.0)]
    assert log.device.busy_s == 6.0


def test_a_device_that_hangs_begins_nothing_even_on_a_slot_that_comes_free():
    log = Log(slots=2)
    turns = [log.submit(name, 1.0) for name in "abcd"]
    log.device.hang()
    log.device.hang()
    assert log.device.cancel(turns[0])
    log.at(3.0, log.device.resume)
    log.clock.run()
    assert log == [("b", 0.0, 4.0), ("c", 3.0, 4.0), ("d", 4.0, 5.0)]


def test_speed_set_while_a_device_hangs_holds_once_it_goes_on():
    log = Log()
    log.submit("a", 2.0)
    log.at(1.0, log.device.hang)
    log.at(2.0, log.device.set_speed, 0.5)
    log.at(3.0, log.device.resume)
    log.clock.run()
    assert log == [("a", 0.0, 5.0)]


def test_a_device_that_crashed_while_it_hung_recovers_well():
    log = Log()
    log.submit("lost", 2.0)
    log.at(1.0, log.device.hang)
    log.at(2.0, log.device.fail)
    log.at(3.0, log.device.resume)
    log.at(4.0, log.device.recover)
    log.at(4.0, log.submit, "a", 1.0)
    log.clock.run(until=3.5)
    assert not log.device.up
    log.clock.run()
    assert log == [("a", 4.0, 5.0)]
