import pytest

from sim.engine.clock import Clock
from sim.engine.servers.autoscaling import Autoscaler, Scaling
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job


def scaled(slots, load, scaling, until_s):
    """How many slots there were just after each second, with ``load`` jobs that never end."""
    clock = Clock()
    pool = Pool(clock, slots)
    Autoscaler(clock, pool, scaling)
    for _ in range(load):
        pool.submit(Job(1e9), lambda *_: None, None)
    seen = []
    for second in range(until_s + 1):
        clock.run(until=second + 0.5)
        seen.append(pool.slots)
    return seen


def test_slots_follow_the_utilisation_after_the_start_up_time():
    """Looks at 2, 4, …: 1 slot full, wants 1 / 0.5 = 2 at 2, there at 5; full, wants 4 at 6."""
    scaling = Scaling(target=0.5, min_slots=1, max_slots=8, start_up_s=3.0, interval_s=2.0)
    assert scaled(1, 4, scaling, 13) == [1] * 5 + [2] * 4 + [4] * 4 + [8]


def test_bounds_hold_from_the_start():
    scaling = Scaling(target=0.5, min_slots=2, max_slots=3, start_up_s=0.0, interval_s=1.0)
    assert scaled(1, 9, scaling, 3) == [2, 3, 3, 3]
    assert scaled(9, 0, scaling, 3) == [3, 2, 2, 2]


def test_idle_slots_go_at_once():
    scaling = Scaling(target=0.5, min_slots=1, max_slots=8, start_up_s=9.0, interval_s=2.0)
    assert scaled(8, 1, scaling, 3) == [8, 8, 2, 2]


def test_near_the_target_nothing_changes():
    """One of two is busy; 0.5 is 1.087 of 0.46, but 1.25 of 0.4."""
    near = Scaling(target=0.46, min_slots=1, max_slots=8, start_up_s=0.0, interval_s=1.0)
    far = Scaling(target=0.4, min_slots=1, max_slots=8, start_up_s=0.0, interval_s=1.0)
    assert scaled(2, 1, near, 2) == [2, 2, 2]
    assert scaled(2, 1, far, 2) == [2, 3, 3]


def test_work_done_by_added_slots_by_hand():
    """Two jobs of 4 s: the second starts on the new slot at 1 + 2 instead of at 4."""
    clock, ends = Clock(), []
    pool = Pool(clock, 1)
    scaling = Scaling(target=0.5, min_slots=1, max_slots=2, start_up_s=2.0, interval_s=1.0)
    Autoscaler(clock, pool, scaling)
    for _ in range(2):
        pool.submit(Job(4.0), lambda _, start_s: ends.append((start_s, clock.now)), None)
    clock.run(until=8.0)
    assert ends == [(0.0, 4.0), (3.0, 7.0)]
    assert pool.busy_s == pytest.approx(8.0)
