"""Minimum cuts against every division there is."""

from itertools import product
from math import inf

import numpy as np
import pytest

from sim.policies.cutting import Flow, divided


def total_s(there: frozenset[int], here_s, there_s, flows) -> float:
    seconds = sum(there_s[n] if n in there else here_s[n] for n in here_s)
    for flow in flows:
        away = any((target in there) != (flow.source in there) for target in flow.targets)
        if away:
            seconds += flow.back_s if flow.source in there else flow.there_s
    return seconds


@pytest.mark.parametrize("seed", range(60))
def test_no_division_of_a_random_graph_takes_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 8))
    here_s, there_s = ({n: float(rng.exponential(1.0)) for n in range(count)} for _ in range(2))
    if rng.random() < 0.5:
        there_s[0] = inf
    if rng.random() < 0.3:
        here_s[count - 1] = inf
    flows = []
    for source in range(count - 1):
        later = np.arange(source + 1, count)
        targets = rng.choice(later, size=int(rng.integers(1, len(later) + 1)), replace=False)
        flows.append(Flow(source, tuple(map(int, targets)), *rng.exponential(0.5, 2).tolist()))
    least_s = min(
        total_s(frozenset(n for n, moved in enumerate(each) if moved), here_s, there_s, flows)
        for each in product((False, True), repeat=count)
    )
    found_s, moved = divided(here_s, there_s, flows)
    assert found_s == pytest.approx(least_s, abs=1e-10)
    assert total_s(moved, here_s, there_s, flows) == pytest.approx(least_s, abs=1e-10)


def test_what_many_want_crosses_once() -> None:
    here_s, there_s = {"a": 0.0, "b": 5.0, "c": 5.0}, {"a": inf, "b": 0.0, "c": 0.0}
    assert divided(here_s, there_s, [Flow("a", ("b", "c"), 6.0, 1.0)]) == (6.0, {"b", "c"})


def test_a_stage_that_may_run_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="neither here nor there"):
        divided({"a": inf}, {"a": inf}, [])
