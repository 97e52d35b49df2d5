from math import inf

import pytest

from sim.engine.servers.memory import Memory
from sim.engine.servers.server import Job


def using(*names, size=4.0, working_bytes=0.0):
    weights = tuple((name, size) for name in names)
    return Job(1.0, weights=weights, working_bytes=working_bytes)


def run(memory, job, now_s=0.0):
    load_s = memory.admit(job, now_s)
    memory.release(job)
    return load_s


def test_weights_are_loaded_once_at_the_stated_rate():
    memory = Memory(100.0, load_bytes_per_s=2.0)
    assert run(memory, using("a")) == 2.0
    assert run(memory, using("a", "b"), 10.0) == 2.0
    assert run(memory, using("a", "b"), 20.0) == 0.0
    assert memory.used_bytes == 8.0


def test_a_job_waits_for_a_load_under_way():
    memory = Memory(100.0, load_bytes_per_s=2.0)
    assert memory.admit(using("a"), 0.0) == 2.0
    assert memory.admit(using("a"), 0.5) == 1.5


def test_without_a_rate_loading_takes_no_time():
    assert run(Memory(100.0), using("a")) == 0.0


def test_the_least_recently_used_weights_go_first():
    memory = Memory(8.0, load_bytes_per_s=2.0)
    for name in ("a", "b", "a", "c"):
        run(memory, using(name))
    assert memory.resident == ("a", "c")
    assert run(memory, using("b")) == 2.0
    assert memory.resident == ("c", "b")


def test_weights_in_use_stay_and_nothing_is_evicted_in_vain():
    memory = Memory(12.0)
    assert memory.admit(using("a"), 0.0) == 0.0
    run(memory, using("b"))
    assert memory.admit(using("c", working_bytes=6.0), 0.0) == -1.0
    assert memory.resident == ("a", "b")
    assert memory.admit(using("c", working_bytes=4.0), 0.0) == 0.0
    assert memory.resident == ("a", "c")


def test_a_working_set_fits_beside_the_weights_of_its_own_job():
    memory = Memory(10.0)
    run(memory, using("a"))
    assert memory.admit(using("a", working_bytes=6.0), 0.0) == 0.0
    assert memory.admit(using("a", working_bytes=1.0), 0.0) == -1.0
    assert memory.used_bytes == 10.0


def test_what_never_fits_is_refused():
    with pytest.raises(ValueError, match="needs 13 bytes, but the memory has 12; split it"):
        Memory(12.0).require(using("a", working_bytes=9.0))
    Memory(inf).require(using("a", working_bytes=9.0))


def test_clearing_forgets_everything():
    memory = Memory(12.0, load_bytes_per_s=2.0)
    memory.admit(using("a", working_bytes=3.0), 0.0)
    memory.clear()
    assert (memory.used_bytes, memory.resident) == (0.0, ())
    assert run(memory, using("a")) == 2.0
