"""Running scripts again and again, each stage by itself and timed."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from real_runner.calibration.contents import Contents
from real_runner.calibration.scripts import Script, key_of, stages_in
from real_runner.calibration.stopwatch import Stopwatch
from real_runner.executor import Executor
from sim.profiles import Key, Measured
from workloads.sam.model import Sam
from workloads.stage import Payload, Stage

WARM_UP = 2
"""Runs of each script that come first and do not count."""

_SOURCE_JOB = 1
_JOB = 2


def measured(
    sam: Sam,
    executor: Executor,
    chosen: Sequence[Script],
    kinds: Collection[str],
    repetitions: int,
    stopwatch: Stopwatch,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Measured, ...]:
    """Return a row per distinct stage of ``kinds`` (none given: of all), in the order met.

    A stage that scripts run several times, as a block like another, is timed every time. All
    scripts are run before any is run again, so that what disturbs the machine for a while spoils a
    few timings of each stage rather than all of some. ``advance`` is called after each script.
    """
    contents = Contents(sam, executor, _SOURCE_JOB)
    example = {
        key_of(stage): stage
        for script in chosen
        for stage in stages_in(script)
        if not kinds or stage.kind in kinds
    }
    taken_s: dict[Key, list[float]] = {key: [] for key in example}
    for number in range(WARM_UP + repetitions):
        for script in chosen:
            for key, seconds in _follow(executor, contents, script, stopwatch):
                if number >= WARM_UP and key in taken_s:
                    taken_s[key].append(seconds)
            advance()
    return tuple(Measured.of(example[key], seconds) for key, seconds in taken_s.items())


def _follow(
    executor: Executor, contents: Contents, script: Script, stopwatch: Stopwatch
) -> list[tuple[Key, float]]:
    """Do what a script says for a request of its own; return how long each stage took."""
    times = []
    try:
        for each in script:
            if isinstance(each, Payload):
                executor.put(_JOB, each, contents.of(each))
            else:
                times.append((key_of(each), stopwatch(partial(_run, executor, each))))
    finally:
        executor.forget(_JOB)
    return times


def _run(executor: Executor, stage: Stage) -> None:
    executor.run(_JOB, (stage,))
