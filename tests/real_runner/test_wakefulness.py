"""Processors are kept awake for as long as it is wanted, where that can be had at all."""

import os
from pathlib import Path

import pytest

from real_runner.wakefulness import DEVICE, kept_awake


def test_a_latency_of_nothing_is_asked_for_and_held_until_the_end(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    device.touch()
    with kept_awake(device) as awake:
        assert awake
        assert device.read_bytes() == bytes(4)
        assert device in opened()
    assert device not in opened()


@pytest.mark.parametrize("device", [Path("/dev/none"), Path("/dev/full")])
def test_where_it_cannot_be_had_nothing_is_held(device: Path) -> None:
    with kept_awake(device) as awake:
        assert not awake
    assert device not in opened()


def test_this_machine_s_own_is_held_by_root() -> None:
    if not os.access(DEVICE, os.W_OK):
        pytest.skip(f"{DEVICE} is not there, or not for this user: run the tests as root")
    before = opened().count(DEVICE)  # workers of other tests may hold it, too
    with kept_awake() as awake:
        assert awake
        assert opened().count(DEVICE) == before + 1
    assert opened().count(DEVICE) == before


def opened() -> list[Path]:
    """Return what this process has open."""
    every = list(Path("/proc/self/fd").iterdir())  # one of which was the listing's own
    return [each.readlink() for each in every if each.is_symlink()]
