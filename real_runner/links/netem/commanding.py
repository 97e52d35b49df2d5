"""What netem links do while there are some: they obey commands, a line each, until they end.

The commands are those of userspace/forwarder.c; what it reports of single packets, netem does not.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, TextIO

from real_runner.errors import RealRunError
from real_runner.links.netem.disciplines import Counts, counts, serialise
from real_runner.links.netem.wiring import Direction, Realm

NONE: Final = Counts()


class Commander:
    """Changes and reads the directions of all links: channel i is ``directions[i]``."""

    def __init__(self, directions: Sequence[Direction]) -> None:
        self._directions = directions
        self._factors = [1.0] * len(directions)
        self._silent: set[int] = set()
        self._before = self._counted()

    def obey(self, commands: TextIO) -> None:
        """Do as lines say, until they end; `RealRunError` for one that is unknown."""
        for line in commands:
            match line.split():
                case ["begin", _]:
                    self._restore()
                    self._before = self._counted()
                case ["rest"]:
                    self._restore()
                case ["factor", link, factor]:
                    self._set_factor(int(link), float(factor))
                case ["silence" | "speak" as word, node]:
                    self._set_silent(int(node), is_silent=word == "silence")
                case ["report"]:
                    print(json.dumps(self._report()), flush=True)
                case _:
                    raise RealRunError(f"links: command {line.strip()!r} is unknown")

    def _restore(self) -> None:
        changed = [i for i, factor in enumerate(self._factors) if factor != 1.0]
        changed += [i for i, each in enumerate(self._directions) if each.source in self._silent]
        self._factors = [1.0] * len(self._directions)
        self._silent.clear()
        self._apply(changed)

    def _set_factor(self, link: int, factor: float) -> None:
        self._factors[2 * link : 2 * link + 2] = [factor] * 2
        self._apply([2 * link, 2 * link + 1])

    def _set_silent(self, node: int, *, is_silent: bool) -> None:
        (self._silent.add if is_silent else self._silent.discard)(node)
        self._apply([i for i, each in enumerate(self._directions) if each.source == node])

    def _apply(self, channels: Sequence[int]) -> None:
        for i in channels:
            direction = self._directions[i]
            factor = 0.0 if direction.source in self._silent else self._factors[i]
            rate = direction.shape.rate_bits_per_s * factor
            shape = replace(direction.shape, rate_bits_per_s=rate)
            serialise(direction.near.kernel, direction.queueing, shape, again=True)

    def _counted(self) -> list[tuple[Counts, Counts]]:
        """Return what each channel's two disciplines have done since they were made."""
        realms: dict[int, Realm] = {}
        for each in self._directions:
            realms[each.near.namespace] = each.near
            realms[each.wires.namespace] = each.wires
        found = {namespace: counts(realm.kernel) for namespace, realm in realms.items()}
        return [
            (
                found[each.near.namespace].get(each.queueing, NONE),
                found[each.wires.namespace].get(each.delaying, NONE),
            )
            for each in self._directions
        ]

    def _report(self) -> dict[str, Any]:
        since = [
            (queue - queue_before, way - way_before)
            for (queue, way), (queue_before, way_before) in zip(
                self._counted(), self._before, strict=True
            )
        ]
        return {
            "delivered": sum(way.packets for _, way in since),
            "stray": 0, "refused": 0,
            "late_p50_s": None, "late_p99_s": None, "late_max_s": None,
            "channels": [
                (queue.carried_bytes, queue.packets, queue.dropped, way.dropped)
                for queue, way in since
            ],
        }  # fmt: skip
