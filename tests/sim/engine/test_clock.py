"""The clock keeps simpy's order, and runs callbacks and processes in one time."""

import pytest
import simpy

from sim.engine.clock import Clock


def test_callbacks_run_by_time_then_by_insertion():
    clock, seen = Clock(), []
    for when_s, name in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")]:
        clock.at(when_s, seen.append, name)
    clock.run()
    assert seen == ["a", "b", "c", "d"]
    assert clock.now == 2.0


def test_times_are_exact_where_adding_a_delay_would_round():
    clock, seen = Clock(), []
    when_s = 0.1 + 0.2
    clock.at(0.1, lambda _: clock.at(when_s, lambda _: seen.append(clock.now), None), None)
    clock.run()
    assert seen == [when_s]


def test_processes_and_callbacks_interleave_by_time_and_insertion():
    clock, seen = Clock(), []

    def process(name):
        for _ in range(3):
            yield clock.timeout(1.0)
            seen.append((clock.now, name))

    clock.at(1.0, lambda _: seen.append((clock.now, "callback")), None)
    clock.process(process("process"))
    clock.at(1.5, lambda _: seen.append((clock.now, "between")), None)
    clock.at(3.0, lambda _: seen.append((clock.now, "first of three")), None)
    clock.run()
    assert seen == [
        (1.0, "callback"),
        (1.0, "process"),
        (1.5, "between"),
        (2.0, "process"),
        (3.0, "first of three"),
        (3.0, "process"),
    ]


def test_a_callback_wakes_a_process_in_its_instant():
    clock, woken = Clock(), []
    bell = clock.event()

    def sleeper():
        value = yield bell
        woken.append((clock.now, value))

    clock.process(sleeper())
    clock.at(4.0, bell.succeed, "up")
    clock.run()
    assert woken == [(4.0, "up")]


def test_a_process_may_be_interrupted_by_a_callback():
    clock, seen = Clock(), []

    def worker():
        try:
            yield clock.timeout(10.0)
        except simpy.Interrupt as interrupt:
            seen.append((clock.now, interrupt.cause))

    process = clock.process(worker())
    clock.at(3.0, process.interrupt, "crash")
    clock.run(until=5)
    assert seen == [(3.0, "crash")]


def test_run_until_a_time_stops_before_what_is_due_then():
    clock, seen = Clock(), []
    for when_s in (1.0, 2.0, 3.0):
        clock.at(when_s, seen.append, when_s)
    clock.run(until=2)
    assert (clock.now, seen) == (2.0, [1.0])
    clock.run(until=2.5)
    assert (clock.now, seen) == (2.5, [1.0, 2.0])
    clock.run()
    assert (clock.now, seen) == (3.0, [1.0, 2.0, 3.0])


def test_run_until_an_exact_time_that_a_delay_would_miss():
    clock = Clock()
    clock.at(0.1, lambda _: None, None)
    clock.run(until=0.1)
    clock.run(until=0.1 + 0.7)
    assert clock.now == 0.1 + 0.7


def test_run_until_an_event_returns_its_value():
    clock = Clock()

    def process():
        yield clock.timeout(3.0)
        return "value"

    ended = clock.process(process())
    clock.at(9.0, lambda _: None, None)
    assert clock.run(until=ended) == "value"
    assert clock.now == 3.0
    assert clock.run(until=ended) == "value"


def test_running_dry_before_the_event_is_an_error():
    clock = Clock()
    with pytest.raises(RuntimeError, match="nothing is left"):
        clock.run(until=clock.event())


def test_a_failing_process_stops_the_run():
    clock = Clock()

    def process():
        yield clock.timeout(1.0)
        raise LookupError("lost")

    clock.process(process())
    with pytest.raises(LookupError, match="lost"):
        clock.run()


@pytest.mark.parametrize("when_s", [0.5, float("nan")])
def test_the_past_is_refused(when_s):
    clock = Clock(1.0)
    with pytest.raises(ValueError, match=r"already shows 1\.0"):
        clock.at(when_s, print, None)
    with pytest.raises(ValueError, match=r"already shows 1\.0"):
        clock.run(until=when_s)


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_cancelled_callback_neither_runs_nor_moves_the_clock(stepwise):
    clock, seen = Clock(), []
    clock.at(1.0, seen.append, "kept")
    clock.cancel(clock.at(0.5, seen.append, "early"))
    clock.cancel(clock.at(2.0, seen.append, "late"))
    if stepwise:
        assert clock.peek() == 1.0
        clock.step()
        with pytest.raises(simpy.core.EmptySchedule):
            clock.step()
    clock.run()
    assert (seen, clock.now) == (["kept"], 1.0)
    assert clock.peek() == float("inf")


@pytest.mark.parametrize("stepwise", [False, True])
def test_the_end_of_an_instant_comes_after_all_that_is_due_in_it(stepwise):
    clock, seen = Clock(), []

    def process():
        yield clock.timeout(1.0)
        yield clock.timeout(0.0)
        seen.append("process")

    def ends(name):
        seen.append(name)
        if name == "end":
            clock.at(1.0, seen.append, "same instant")
            clock.soon(ends, "end of that")

    clock.process(process())
    clock.at(1.0, lambda _: clock.soon(ends, "end"), None)
    clock.at(1.0, seen.append, "callback")
    clock.at(1.5, seen.append, "next instant")
    if stepwise:
        while clock.peek() < float("inf"):
            clock.step()
    clock.run()
    assert seen == ["callback", "process", "end", "same instant", "end of that", "next instant"]


def test_steps_and_run_do_the_same():
    def history(drive):
        clock, seen = Clock(), []

        def process():
            while True:
                yield clock.timeout(0.3)
                seen.append(("process", clock.now))
                clock.soon(seen.append, ("soon", clock.now))

        def tick(left):
            seen.append(("tick", clock.now))
            if left:
                clock.at(clock.now + 0.25, tick, left - 1)

        clock.process(process())
        tick(20)
        drive(clock)
        return [entry for entry in seen if entry[1] < 4.0]

    def steps(clock):
        while clock.now < 4.0:
            clock.step()

    assert history(steps) == history(lambda clock: clock.run(until=4.0))
