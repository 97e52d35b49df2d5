"""The grid names every split that can be had, each a policy."""

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.accuracy.cells import CODECS, grid
from sim.policies.registry import policy_named
from workloads.sam.modes import MODES


def test_every_cell_is_a_policy_and_each_comes_once():
    specs = grid(16)
    assert len(specs) == len(set(specs))
    policies = [policy_named(spec) for spec in specs]
    assert {policy.mode for policy in policies} == set(MODES)
    assert {policy.codec for policy in policies} == set(CODECS)
    assert {policy.clouds for policy in policies} == {2, 4, 8, 16}


def test_no_cell_wants_more_clouds_than_there_are():
    assert {policy_named(spec).clouds for spec in grid(5)} == {2, 4}
    assert {policy_named(spec).clouds for spec in grid(30)} == {2, 4, 8, 16, 25}
