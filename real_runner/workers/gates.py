"""Ways that are closed for a while: what would take one waits until it is open again."""

import asyncio
from collections.abc import Iterable


class Gates:
    """Which nodes nothing may be sent to; all may at first."""

    def __init__(self) -> None:
        self._closed: frozenset[str] = frozenset()
        self._changed = asyncio.Condition()

    async def close(self, nodes: Iterable[str]) -> None:
        """Close the ways to these nodes, and open all others."""
        async with self._changed:
            self._closed = frozenset(nodes)
            self._changed.notify_all()

    async def passing(self, node: str) -> None:
        """Return once the way to ``node`` is open."""
        if node in self._closed:
            async with self._changed:
                await self._changed.wait_for(lambda: node not in self._closed)
