"""Whether windows fit, against every way there is."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.policies.packing import fits
from sim.policies.task import Limits


@settings(deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0.2, 0.11, 0.06]), min_size=1, max_size=6),
    count=st.integers(1, 4),
    cap=st.floats(0.05, 1.0),
    coalition=st.integers(1, 3),
    coalition_cap=st.floats(0.05, 1.0),
)
def test_it_is_what_trying_everything_finds(sizes, count, cap, coalition, coalition_cap):
    def good(owners: tuple[int, ...]) -> bool:
        loads = [0.0] * count
        for size, owner in zip(sizes, owners, strict=True):
            loads[owner] += size
        together = sum(sorted(loads)[-coalition:])
        return max(loads) <= cap + 2e-6 and together <= coalition_cap + 2e-6

    expected = any(good(owners) for owners in product(range(count), repeat=len(sizes)))
    assert fits(sizes, count, Limits(cap, coalition, coalition_cap)) == expected
