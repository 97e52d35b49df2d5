"""Links that nothing could use are refused before anything is started."""

import asyncio
from pathlib import Path

import pytest

from real_runner.errors import RealRunError
from real_runner.links.certified import CertifiedLinks
from real_runner.links.network import Network
from tests.real_runner.links.conftest import world
from topologies.dilation import slowed
from topologies.links import Link


def test_a_dilation_at_which_tcp_loses_patience_is_refused(tmp_path: Path) -> None:
    topology = world(Link("a", "b", 1e6, 0.01), Link("b", "c", 1e6, 0.03))
    assert Network(topology).longest_round_trip() == (pytest.approx(0.08), "a", "c")
    links = CertifiedLinks("userspace", "0" * 8, tmp_path, slowed(topology, 2000.0), 2000.0)
    with pytest.raises(RealRunError, match=r"takes 160 s.*give a --dilation below 1500,"):
        asyncio.run(links.open())
