"""What realises a topology's links, seen from the orchestrator: the seam that backends share."""

from dataclasses import dataclass
from typing import Protocol

from real_runner.errors import RealRunError
from real_runner.links.network import Network


@dataclass(frozen=True, slots=True)
class Counted:
    """What a channel has carried since the run began, framing included.

    ``dropped_packets`` found its queue full, ``lost_packets`` were lost as the link's loss says.
    """

    carried_bytes: int
    packets: int
    dropped_packets: int
    lost_packets: int


@dataclass(frozen=True, slots=True)
class Report:
    """What links have done since the run began, by channel.

    ``stray_packets`` were for nobody, ``refused_packets`` their node's kernel did not take.
    ``late_*_s``: how long after their moment packets were handed to their node; nothing where the
    kernel does the shaping, which does not say.
    """

    delivered_packets: int
    stray_packets: int
    refused_packets: int
    late_p50_s: float | None
    late_p99_s: float | None
    late_max_s: float | None
    channels: tuple[Counted, ...]


class Backend(Protocol):
    """The links of one run, once started; between runs they are as the topology says at rest."""

    @property
    def name(self) -> str:
        """What ``--links`` calls it."""

    @property
    def network(self) -> Network:
        """What is emulated."""

    @property
    def realtime(self) -> bool:
        """Whether what releases packets goes before ordinary processes."""

    @property
    def offloads(self) -> str:
        """What is known of segmentation offloads, a line."""

    @property
    def losses(self) -> str:
        """Whether a seed says which packets are lost, a word."""

    @property
    def alive(self) -> bool:
        """Whether there are links."""

    async def start(self) -> None:
        """Make the links; `RealRunError` where this machine cannot."""

    async def stop(self) -> None:
        """End the links, and leave nothing of them."""

    async def ended(self) -> RealRunError:
        """Wait until the links have ended, and return why they have."""

    def address(self, node: str) -> str:
        """Return a node's address, where its peers reach it."""

    def namespace(self, node: str) -> str:
        """Return the path of a node's namespace, to be entered while the links last."""

    def begin(self, seed: int) -> None:
        """Let schedules begin now, drop packets as ``seed`` says, and count from here on."""

    def rest(self) -> None:
        """End schedules and faults: links have the rates and delays that they are believed to."""

    def set_factor(self, link: str, factor: float) -> None:
        """Run a link of this name, both ways, at ``factor`` times its rate; 0 stalls it."""

    def set_silent(self, node: str, *, silent: bool) -> None:
        """Let nothing of what a node sends get anywhere, as of one that has crashed."""

    async def report(self) -> Report:
        """Return what was counted; to be awaited by one caller at a time."""
