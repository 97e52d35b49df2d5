"""What a view holds in the place of the load, for a policy that said it does not read it."""

from collections.abc import Iterator, Mapping
from typing import NoReturn

from sim.errors import PolicyError


class UnreadBacklog(Mapping[str, float]):
    """Stands for `View.backlog_s`; reading it is an error."""

    def __getitem__(self, node: str) -> float:
        _refuse("backlog_s")

    def __iter__(self) -> Iterator[str]:
        _refuse("backlog_s")

    def __len__(self) -> int:  # noqa: PLE0303 - never returns
        _refuse("backlog_s")


class UnreadFlows(tuple[int, ...]):
    """Stands for `View.channel_flows`; reading it is an error."""

    __slots__ = ()

    def __getitem__(self, channel: object) -> NoReturn:
        _refuse("channel_flows")

    def __iter__(self) -> Iterator[int]:
        _refuse("channel_flows")

    def __len__(self) -> int:  # noqa: PLE0303 - never returns
        _refuse("channel_flows")


def _refuse(name: str) -> NoReturn:
    raise PolicyError(
        f"the policy reads {name} of its view, but has reads_load = False; remove that line"
    )
