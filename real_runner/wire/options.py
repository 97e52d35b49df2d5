"""What gRPC is told at both ends of a connection; nothing is left to defaults that matter."""

from typing import Any

from real_runner.wire.limits import Limits

Options = list[tuple[str, Any]]
_LONGEST_MS = 2**31 - 1
"""What gRPC keeps a time in."""


def channel_options(limits: Limits) -> Options:
    """Return the options of a channel: a connection of its own, tried again soon."""
    return [
        *_common(limits),
        ("grpc.use_local_subchannel_pool", 1),  # else channels to one address share a connection
        ("grpc.enable_retries", 0),  # the courier knows better when to try again
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", _milliseconds(limits.connect_s)),  # of one attempt
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]


def server_options(limits: Limits) -> Options:
    """Return the options of a server: an address of its own, and so many calls at one time."""
    return [
        *_common(limits),
        ("grpc.so_reuseport", 0),  # else two workers may share an address, and neither knows
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.server_handshake_timeout_ms", _milliseconds(limits.handshake_s)),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _common(limits: Limits) -> Options:
    keepalive_ms = _milliseconds(limits.keepalive_s)
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.optimization_target", "throughput"),
        ("grpc.http2.max_frame_size", min(limits.message_bytes, (1 << 24) - 1)),  # chunk and lead
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.http2.ping_timeout_ms", keepalive_ms),  # of pings that measure the way, too
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_http_proxy", 0),
    ]


def _milliseconds(seconds: float) -> int:
    return min(round(seconds * 1000), _LONGEST_MS)
