"""Device queues by hand; `test_queueing_theory` holds them against formulas."""

import math

import pytest

from sim.engine.clock import Clock
from sim.engine.queues import DeviceQueue


class Log(list):
    """(job, start, end) of the jobs that were done."""

    def __init__(self, slots=1):
        self.clock = Clock()
        self.device = DeviceQueue(self.clock, slots)

    def submit(self, name, service_s):
        return self.device.submit(service_s, self.done, name)

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

    log.device.submit(1.0, again, "first")
    log.submit("second", 1.0)
    log.clock.run()
    assert [name for name, *_ in log] == ["first", "second", "again"]


@pytest.mark.parametrize("service_s", [-1.0, math.nan])
def test_impossible_service_times_are_refused(service_s):
    with pytest.raises(ValueError, match="service_s is"):
        Log().submit("a", service_s)


def test_a_device_needs_a_slot():
    with pytest.raises(ValueError, match="slots is 0"):
        DeviceQueue(Clock(), 0)
