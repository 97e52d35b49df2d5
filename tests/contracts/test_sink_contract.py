"""What every runner must do with a sink: give it everything, once, in chunks of whole requests."""

from collections.abc import Callable

import pandas as pd
import pytest

from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.runner import Runner
from sim.tables import Tables
from sim.trace import Sink, Trace
from tests.conftest import MakeScenario, Scripted
from tests.contracts.conftest import About
from workloads.stage import Payload, Stage

TENTH = Stage("tenth", 1e11, 0.0)  # of a second on b
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)
FIRST = Plan((Transfer("edge", "b", PARTS), Compute("b", (TENTH,), (0,))), completes=False)
LAST = Plan((Compute("a", (TENTH,)), Transfer("a", "edge", PARTS, after=(0,))))
ARRIVALS_S = tuple(0.03 * index for index in range(20))


Streamed = Callable[[int], tuple[list[Trace], Trace]]


@pytest.fixture(scope="module")
def kept() -> dict[tuple[type[Runner], int], tuple[list[Trace], Trace]]:
    """What `streamed` has run already."""
    return {}


@pytest.fixture
def streamed(
    runner: Runner,
    make_scenario: MakeScenario,
    kept: dict[tuple[type[Runner], int], tuple[list[Trace], Trace]],
) -> Streamed:
    """Return what a sink gets in chunks of so many steps, and the trace; 0: all is in the trace.

    Each is run once for all who only read it.
    """

    def run(steps: int) -> tuple[list[Trace], Trace]:
        chunks: list[Trace] = []
        scenario = make_scenario(Scripted((FIRST, LAST)), arrivals_s=ARRIVALS_S)
        return chunks, runner.run(scenario, sink=Sink(chunks.append, steps) if steps else None)

    def ran(steps: int) -> tuple[list[Trace], Trace]:
        key = (type(runner), steps)
        if key not in kept:
            kept[key] = run(steps)
        return kept[key]

    return ran


@pytest.mark.parametrize("steps", [1, 7, 20, 1000])
def test_a_chunk_holds_whole_requests(streamed: Streamed, steps: int) -> None:
    chunks, _ = streamed(steps)
    ended = [outcome.request.index for chunk in chunks for outcome in chunk.outcomes]
    assert sorted(ended) == list(range(20))
    for chunk in chunks:
        assert {r.request for r in chunk.records} == {o.request.index for o in chunk.outcomes}
        assert len(chunk.records) == 4 * len(chunk.outcomes)
    assert all(len(chunk.columns().step) >= steps for chunk in chunks[:-1])


@pytest.mark.parametrize("steps", [1, 7, 20, 1000])
def test_tables_of_chunks_are_those_of_the_whole(
    runner: Runner, streamed: Streamed, steps: int
) -> None:
    chunks, _ = streamed(steps)
    whole = Tables(streamed(0)[1])
    pieces = [Tables(chunk) for chunk in chunks]
    for name in ("steps", "requests", "exposure"):
        together = pd.concat([getattr(piece, name)() for piece in pieces], ignore_index=True)
        expected = getattr(whole, name)()
        together = together.astype(expected.dtypes)
        if not isinstance(runner, Simulator):  # no two runs take the same time
            together, expected = timeless(together), timeless(expected)
        pd.testing.assert_frame_equal(together, expected, check_categorical=False, check_exact=True)


def timeless(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what follows from measured times, and the order that they make."""
    measured = [
        name for name in table.select_dtypes("float") if name not in ("bytes", "flops", "pixels")
    ]
    kept = table.drop(columns=[*measured, *({"critical"} & set(table.columns))])
    return kept.sort_values(list(kept.columns), ignore_index=True)


def test_the_trace_of_a_run_with_a_sink_keeps_the_books_only(
    streamed: Streamed, about: About
) -> None:
    chunks, trace = streamed(7)
    assert trace.records == trace.outcomes == []
    assert trace.busy_s["b"] == about(2.0)
    assert trace.end_s > 0
    assert sum(trace.carried_bytes) > 0
    assert not any(chunk.busy_s or chunk.carried_bytes for chunk in chunks)
