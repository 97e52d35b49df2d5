import gc

import pytest

from sim.engine.collection import YOUNG_OBJECTS, fewer_collections


def interrupted() -> None:
    with fewer_collections():
        raise KeyError


def test_collections_are_rarer_within_and_as_before_after() -> None:
    before = gc.get_threshold()
    with fewer_collections():
        assert gc.get_threshold() == (YOUNG_OBJECTS, *before[1:])
    assert gc.get_threshold() == before


def test_an_error_restores_what_was() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError):
        interrupted()
    assert gc.get_threshold() == before


def test_a_collector_that_is_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0, *before[1:])
    try:
        with fewer_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
