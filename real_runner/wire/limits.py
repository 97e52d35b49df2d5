"""How much of anything a worker takes in: what bounds a peer that lies, or is too fast."""

from dataclasses import dataclass, replace

from real_runner.wire.frames import PREFIX_BYTES

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what travels between workers; nothing is unlimited.

    ``parcel_bytes`` bounds one tensor, as it travels and once it is decoded: the defaults leave
    room for all tokens of SAM ViT-H in fp64 (40 MiB). ``flight_bytes`` and ``flight_parcels``
    bound what a worker receives at one time, in memory that it has promised, ``kept_bytes`` what it
    keeps of all requests that are not over, ``waiting_steps`` the steps that it has taken on.
    ``chunk_bytes`` is what a sender puts of a tensor into one message, ``message_bytes`` what a
    server takes in one, ``header_bytes`` what a header may have. ``aside_bytes``: more than this is
    encoded and decoded in a thread, lest the event loop wait. A delivery is given up when nothing
    has come for ``stall_s``, and after ``delivery_s`` in any case. ``streams`` bounds the calls
    that a server serves at one time (each peer that sends has one open), ``keepalive_s`` is how
    long a connection may be silent before it is asked for a sign of life, and then how long that
    sign may take; ``connect_s`` is how long one attempt to connect may take, ``handshake_s`` how
    long a server waits for a peer that has connected to prove who it is.
    """

    parcel_bytes: int = 64 * MIB
    flight_bytes: int = 1024 * MIB
    flight_parcels: int = 128
    kept_bytes: int = 4096 * MIB
    waiting_steps: int = 100_000
    chunk_bytes: int = MIB
    message_bytes: int = 4 * MIB
    header_bytes: int = 64 * KIB
    aside_bytes: int = 256 * KIB
    stall_s: float = 60.0
    delivery_s: float = 900.0
    streams: int = 512
    keepalive_s: float = 60.0
    connect_s: float = 1.0
    handshake_s: float = 120.0

    def dilated(self, factor: float) -> "Limits":
        """Return what holds where everything on the network takes ``factor`` times as long."""
        return replace(
            self,
            stall_s=self.stall_s * factor,
            delivery_s=self.delivery_s * factor,
            keepalive_s=self.keepalive_s * factor,
            connect_s=self.connect_s * factor,
            handshake_s=self.handshake_s * factor,
        )

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"limits: {name} is {getattr(self, name)}; it must be above 0")
        if self.chunk_bytes + self.header_bytes + PREFIX_BYTES > self.message_bytes:
            raise ValueError(
                f"limits: chunk_bytes {self.chunk_bytes}, header_bytes {self.header_bytes} and "
                f"{PREFIX_BYTES} together must not exceed message_bytes {self.message_bytes}"
            )
