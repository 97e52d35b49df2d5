"""What emulated links can carry on this machine, measured."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from experiments.workplaces import Links, link_backend
from topologies.device import device_named
from topologies.topology import Link, Node, Topology

_FAST_BITS_PER_S: Final = 25e9
"""Faster than any link process: what arrives is what it can carry."""
_SIZE_BYTES: Final = 100_000_000


def carried_bits_per_s(links: Links) -> float:
    """Return the goodput of one connection over a link that is as fast as these links can be.

    Takes a second or two. Raises `RealRunError` where this machine cannot emulate links.
    """
    return asyncio.run(_measured(links))


async def _measured(links: Links) -> float:
    from real_runner.links.probing import goodput_bits_per_s, stream  # noqa: PLC0415 - extra [real]

    with tempfile.TemporaryDirectory(prefix="tessera-links-") as folder:
        backend = link_backend(links, "carrying", Path(folder), _pair())
        try:
            await backend.start()
            ends = (backend.namespace("a"), backend.namespace("b"), backend.address("b"))
            with stream(*ends) as (ours, theirs):
                return await asyncio.to_thread(goodput_bits_per_s, ours, theirs, _SIZE_BYTES)
        finally:
            await backend.stop()


def _pair() -> Topology:
    device = device_named("raspberry-pi-4")
    nodes = (Node("a", "edge", device), Node("b", "cloud", device))
    return Topology("pair", nodes, (Link("a", "b", _FAST_BITS_PER_S, 50e-6),))
