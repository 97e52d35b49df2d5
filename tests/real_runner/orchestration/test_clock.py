"""The run's clock is the one place where the model's time and the wall's are converted."""

import asyncio
import time

import pytest

from real_runner.orchestration.clock import Clock

MS = 1_000_000


def test_moments_on_a_worker_s_clock_are_told_in_the_model_s_time() -> None:
    clock = Clock(4.0)
    zero_ns = time.monotonic_ns()
    clock.restart()
    later_ns = zero_ns + 800 * MS
    assert clock.seconds(later_ns) == pytest.approx(0.2, abs=0.01)
    assert clock.seconds(later_ns + 500 * MS, 500 * MS) == pytest.approx(0.2, abs=0.01)


def test_what_lasts_in_the_model_lasts_longer_on_the_wall_and_back() -> None:
    clock = Clock(4.0)
    assert clock.wall_s(0.25) == 1.0
    assert clock.model_s(1.0) == 0.25
    assert clock.model_s(clock.wall_s(0.3)) == pytest.approx(0.3)
    undilated = Clock()
    assert undilated.wall_s(0.3) == undilated.model_s(0.3) == 0.3


def test_now_goes_by_as_slowly_as_the_model() -> None:
    clock = Clock(4.0)
    began_s, wall_s = clock.now_s, time.monotonic()
    time.sleep(0.2)
    passed_s = time.monotonic() - wall_s
    assert clock.now_s - began_s == pytest.approx(passed_s / 4, abs=0.01)


def test_who_waits_for_a_moment_of_the_model_wakes_no_earlier() -> None:
    async def script() -> list[float]:
        clock = Clock(4.0)
        called: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        clock.call_at(0.05, lambda: called.set_result(clock.now_s))
        woken_s = [await called]
        await clock.sleep_until(0.1)
        woken_s.append(clock.now_s)
        await clock.sleep_until(0.0)  # long ago
        return woken_s

    first_s, second_s = asyncio.run(script())
    assert first_s >= 0.05
    assert second_s >= 0.1
