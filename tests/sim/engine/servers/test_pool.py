"""Disciplines by hand; `test_theory` holds them against formulas."""

import math

import pytest

from sim.engine.clock import Clock
from sim.engine.servers.memory import Memory
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, RefusedError


class Log(list):
    """(job, start, end) of the jobs that were done."""

    def __init__(self, slots=1, discipline="fifo", **effects):
        self.clock = Clock()
        self.device = Pool(self.clock, slots, discipline, **effects)
        self.turns = {}

    def submit(self, name, service_s, priority=0, **needs):
        job = Job(service_s, priority, **needs)
        self.turns[name] = self.device.submit(job, self.done, name)
        return self.turns[name]

    def submit_at(self, when_s, *job, **needs):
        self.clock.at(when_s, lambda _: self.submit(*job, **needs), None)

    def done(self, name, start_s):
        self.append((name, start_s, self.clock.now))

    def held_s(self):
        return sum(turn.held_s for turn in self.turns.values())


def test_a_pool_serves_in_order_as_a_fifo_does():
    log = Log(slots=2)
    for name, service_s in [("a", 3.0), ("b", 1.0), ("c", 1.0)]:
        log.submit(name, service_s)
    assert (log.device.waiting, log.device.running, log.device.backlog_s) == (1, 2, 5.0)
    log.clock.run()
    assert log == [("b", 0.0, 1.0), ("c", 1.0, 2.0), ("a", 0.0, 3.0)]
    assert log.device.busy_s == log.held_s() == 5.0


def test_a_thousand_one_second_jobs_share_one_core_for_a_thousand_seconds():
    log = Log(discipline="processor-sharing")
    for name in range(1000):
        log.submit(name, 1.0)
    log.clock.run()
    assert log == [(name, 0.0, 1000.0) for name in range(1000)]
    assert (log.device.busy_s, log.held_s()) == pytest.approx((1000.0, 1000.0), rel=1e-12)


def test_shared_slots_give_each_job_its_part_and_none_more_than_one():
    """Alone a has 1 of 4; with b both have half of one slot until a has its 4, at 6."""
    log = Log(discipline="processor-sharing")
    log.submit("a", 4.0)
    log.submit_at(2.0, "b", 3.0)
    log.clock.run()
    assert log == [("a", 0.0, 6.0), ("b", 2.0, 7.0)]
    two = Log(slots=2, discipline="processor-sharing")
    for name in "abcd":
        two.submit(name, 1.0)
    two.clock.run(until=1.0)
    assert (two.device.busy_s, two.device.backlog_s) == (2.0, 2.0)
    two.clock.run()
    assert [end_s for _, _, end_s in two] == [2.0] * 4


def test_a_higher_priority_goes_first_but_interrupts_nobody():
    log = Log(discipline="priority")
    log.submit("low", 2.0)
    log.submit("next", 1.0)
    log.submit("urgent", 1.0, 5)
    log.submit("later", 1.0, 5)
    log.clock.run()
    assert [name for name, *_ in log] == ["low", "urgent", "later", "next"]
    assert log[1] == ("urgent", 2.0, 3.0)


def test_a_preempted_job_resumes_where_it_was():
    log = Log(discipline="preemptive-priority")
    log.submit("low", 4.0)
    log.submit_at(1.0, "mid", 2.0, 1)
    log.submit_at(2.0, "high", 3.0, 2)
    log.submit_at(2.5, "same", 1.0, 2)
    log.clock.run(until=3.0)
    assert (log.device.waiting, log.device.running, log.device.backlog_s) == (3, 1, 7.0)
    log.clock.run()
    assert log == [("high", 2.0, 5.0), ("same", 5.0, 6.0), ("mid", 1.0, 7.0), ("low", 0.0, 10.0)]
    assert log.turns["low"].held_s == 4.0
    assert log.device.busy_s == log.held_s() == 10.0


def test_the_least_urgent_is_interrupted_and_only_by_the_more_urgent():
    log = Log(slots=2, discipline="preemptive-priority")
    for name, priority in [("one", 1), ("zero", 0)]:
        log.submit(name, 4.0, priority)
    log.submit_at(1.0, "urgent", 1.0, 1)
    log.submit_at(1.5, "too late", 1.0, 1)
    log.clock.run()
    assert log == [
        ("urgent", 1.0, 2.0), ("too late", 2.0, 3.0), ("one", 0.0, 4.0), ("zero", 0.0, 6.0),
    ]  # fmt: skip


def test_each_other_job_in_service_slows_a_job_down():
    """With 0.5 per other, two run at two thirds: a's 2 s end at 3; b's last second is alone."""
    log = Log(slots=2, interference=0.5)
    log.submit("a", 2.0)
    log.submit("b", 3.0)
    log.clock.run()
    assert log[0] == ("a", 0.0, pytest.approx(3.0))
    assert log[1] == ("b", 0.0, pytest.approx(4.0))


@pytest.mark.parametrize("discipline", ["fifo", "processor-sharing"])
def test_speed_holds_from_the_moment_on_for_all_in_service(discipline):
    """Two of six seconds at full speed, two at half speed make one, the last three take 1.5."""
    log = Log(discipline=discipline)
    log.submit("a", 6.0)
    for when_s, factor in [(2.0, 0.5), (4.0, 2.0)]:
        log.clock.at(when_s, log.device.set_speed, factor)
    log.clock.run()
    assert log == [("a", 0.0, 5.5)]
    assert log.device.busy_s == 5.5
    with pytest.raises(ValueError, match=r"factor is 0\.0"):
        log.device.set_speed(0.0)


def test_a_crash_loses_all_and_tells_who_held_a_slot_how_long():
    log = Log(discipline="preemptive-priority")
    log.submit("low", 4.0)
    log.submit("waits", 1.0)
    log.submit_at(1.0, "high", 4.0, 1)
    lost = []
    log.clock.at(3.0, lambda _: lost.extend(log.device.fail()), None)
    log.clock.run()
    assert (log, lost) == ([], ["high", "low", "waits"])
    assert [log.turns[name].held_s for name in lost] == [2.0, 1.0, 0.0]
    assert log.turns["high"].start_s == 1.0
    assert (log.device.busy_s, log.device.backlog_s, log.clock.now) == (3.0, 0.0, 3.0)
    with pytest.raises(RefusedError, match="the device is down"):
        log.submit("again", 1.0)
    log.device.recover()
    log.submit("again", 1.0)
    log.clock.run()
    assert log == [("again", 3.0, 4.0)]


def test_cancelling_frees_the_place_wherever_the_job_is():
    log = Log(discipline="preemptive-priority")
    for name, priority in [("low", 0), ("waits", 0), ("high", 1)]:
        log.submit(name, 2.0, priority)
    device, turns = log.device, log.turns
    log.clock.run(until=1.0)
    assert [device.cancel(turns[name]) for name in ("high", "waits", "waits")] == [
        True, True, False,
    ]  # fmt: skip
    assert math.isnan(turns["waits"].start_s)
    log.clock.run()
    assert log == [("low", 0.0, 3.0)]
    assert not device.cancel(turns["low"])


def test_a_paused_job_can_be_cancelled():
    log = Log(discipline="preemptive-priority")
    log.submit("low", 2.0)
    log.submit("high", 2.0, 1)
    assert log.device.cancel(log.turns["low"])
    log.clock.run()
    assert log == [("high", 0.0, 2.0)]


def test_done_may_cancel_one_that_ends_at_the_same_instant():
    log = Log(discipline="processor-sharing")
    second = []
    log.device.submit(Job(1.0), lambda *_: log.device.cancel(second[0]), "first")
    second.append(log.submit("second", 1.0))
    log.clock.run()
    assert log == []
    assert log.device.busy_s == 2.0


def test_a_full_device_refuses_the_next_job():
    log = Log(limit=2)
    log.submit("a", 1.0)
    log.submit("b", 1.0)
    with pytest.raises(RefusedError, match="the device is full: it takes 2 jobs at once"):
        log.submit("c", 1.0)
    log.clock.run()
    log.submit("c", 1.0)
    log.clock.run()
    assert [name for name, *_ in log] == ["a", "b", "c"]


def test_slots_may_come_and_go():
    log = Log(slots=1)
    for name in "abc":
        log.submit(name, 2.0)
    log.clock.at(1.0, log.device.set_slots, 3)
    log.clock.at(1.5, log.device.set_slots, 1)
    log.submit_at(2.0, "d", 1.0)
    log.clock.run()
    assert log == [("a", 0.0, 2.0), ("b", 1.0, 3.0), ("c", 1.0, 3.0), ("d", 3.0, 4.0)]
    assert log.device.busy_s == log.held_s() == 7.0


def test_jobs_of_others_take_slots_but_are_nobodys_time_or_loss():
    log = Log()
    log.submit("theirs", 2.0, of_others=True)
    log.submit("ours", 2.0)
    log.clock.run(until=3.0)
    assert (log.device.busy_s, log.device.others_s, log.device.taken_s) == (1.0, 2.0, 3.0)
    log.submit("also theirs", 2.0, of_others=True)
    assert log.device.fail() == ["ours"]


def test_a_job_waits_until_its_working_set_fits_and_those_behind_with_it():
    log = Log(slots=4, memory=Memory(limit_bytes=10.0))
    log.submit("a", 2.0, working_bytes=6.0)
    log.submit("b", 1.0, working_bytes=5.0)
    log.submit("c", 1.0, working_bytes=1.0)
    assert (log.device.running, log.device.waiting) == (1, 2)
    log.clock.run()
    assert log == [("a", 0.0, 2.0), ("b", 2.0, 3.0), ("c", 2.0, 3.0)]
    with pytest.raises(ValueError, match="needs 11 bytes, but the memory has 10"):
        log.submit("d", 1.0, working_bytes=11.0)


def test_memory_gates_processor_sharing_too():
    log = Log(discipline="processor-sharing", memory=Memory(limit_bytes=10.0))
    for name in "abc":
        log.submit(name, 1.0, working_bytes=5.0)
    log.clock.run()
    assert log == [("a", 0.0, 2.0), ("b", 0.0, 2.0), ("c", 2.0, 3.0)]


def test_one_who_was_interrupted_goes_on_where_a_more_urgent_one_finds_no_memory():
    """Else both would wait for the memory of the first for ever."""
    log = Log(discipline="preemptive-priority", memory=Memory(limit_bytes=10.0))
    log.submit("low", 4.0, working_bytes=6.0)
    log.submit_at(1.0, "high", 1.0, 1, working_bytes=3.0)
    log.submit_at(1.5, "large", 1.0, 1, working_bytes=5.0)
    log.clock.run()
    assert log == [("high", 1.0, 2.0), ("low", 0.0, 5.0), ("large", 5.0, 6.0)]


def test_cancelling_gives_memory_back():
    log = Log(slots=2, memory=Memory(limit_bytes=10.0))
    log.submit("a", 9.0, working_bytes=6.0)
    log.submit("b", 1.0, working_bytes=6.0)
    log.clock.at(2.0, log.device.cancel, log.turns["a"])
    log.clock.run()
    assert log == [("b", 2.0, 3.0)]


def test_the_first_job_on_weights_loads_them_and_a_crash_forgets_them():
    """Eight bytes at 4 per second: 2 s once; again after the crash."""
    log = Log(slots=2, memory=Memory(100.0, load_bytes_per_s=4.0))
    weights = (("w", 8.0),)
    for name in ("a", "b"):
        log.submit(name, 1.0, weights=weights)
    log.clock.run()
    log.submit("c", 1.0, weights=weights)
    log.clock.run()
    log.device.fail()
    log.device.recover()
    log.submit("d", 1.0, weights=weights)
    log.clock.run()
    assert log == [("a", 0.0, 3.0), ("b", 0.0, 3.0), ("c", 3.0, 4.0), ("d", 4.0, 7.0)]
    assert log.device.busy_s == 10.0


def test_a_device_needs_a_slot():
    with pytest.raises(ValueError, match="slots is 0"):
        Pool(Clock(), 0)
    with pytest.raises(ValueError, match="service_s is nan"):
        Log().submit("a", math.nan)


@pytest.mark.parametrize("discipline", ["fifo", "processor-sharing", "preemptive-priority"])
def test_a_pool_that_hangs_goes_on_where_it_stood(discipline):
    calm, hung = Log(discipline=discipline), Log(discipline=discipline)
    for log in (calm, hung):
        log.submit("a", 2.0)
        log.submit("b", 1.0, priority=1)
        log.submit_at(8.0, "c", 1.0)
    hung.clock.at(0.5, lambda _: hung.device.hang(), None)
    hung.submit_at(2.0, "later", 1.0, priority=-1)
    hung.clock.run(until=2.5)
    assert hung.device.backlog_s == pytest.approx(3.5)
    hung.clock.at(3.0, lambda _: hung.device.resume(), None)
    calm.clock.run()
    hung.clock.run()
    served = {name: (start_s, end_s) for name, start_s, end_s in hung}
    if discipline == "processor-sharing":
        assert served["b"] == (0.0, pytest.approx(0.5 + 2.5 + 3 * 0.75))
    else:
        ends = {name: end_s for name, _, end_s in calm}
        assert served["a"][1] == pytest.approx(ends["a"] + 2.5)
        assert served["b"][1] == pytest.approx(ends["b"] + 2.5)
    assert hung.device.busy_s == pytest.approx(hung.held_s())


def test_a_pool_that_crashes_while_it_hangs_recovers_well():
    log = Log()
    log.submit("lost", 1.0)
    log.device.hang()
    assert log.device.fail() == ["lost"]
    log.device.resume()
    log.device.recover()
    log.submit("a", 1.0)
    log.clock.run()
    assert log == [("a", 0.0, 1.0)]
