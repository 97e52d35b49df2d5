"""A worker's server: one or several addresses, the handlers it is given, and its health."""

from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health

from real_runner.errors import RealRunError
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.options import server_options

GRACE_S = 1.0


class Server:
    """A server that runs; ``addresses`` are those it was given, with the real ports."""

    def __init__(
        self, server: grpc.aio.Server, servicer: health.HealthServicer, addresses: tuple[str, ...]
    ) -> None:
        self.addresses = addresses
        self._server = server
        self._health = servicer

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Take nothing new, let calls under way end for ``grace_s``, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


async def serve(
    addresses: str | Sequence[str],
    credentials: Credentials | None,
    handlers: Iterable[Any],
    limits: Limits,
) -> Server:
    """Serve ``handlers`` (generic RPC handlers) and ``grpc.health.v1``.

    An address is ``host:port``, where port 0 takes a free one, or ``unix:/path``. With
    credentials, whoever has no certificate of the run's authority is turned away in the
    handshake; without, all is in the clear and anyone is let in. Raises `RealRunError` where an
    address cannot be had.
    """
    server = grpc.aio.server(options=server_options(limits), maximum_concurrent_rpcs=limits.streams)
    server.add_generic_rpc_handlers(tuple(handlers))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    wanted = (addresses,) if isinstance(addresses, str) else tuple(addresses)
    bound = tuple(_bind(server, address, credentials) for address in wanted)
    await server.start()
    return Server(server, servicer, bound)


def peer_name(context: Any) -> str:
    """Return the node that the caller's certificate names; empty where there was no TLS."""
    names = context.auth_context().get("x509_common_name", ())
    return next(iter(names), b"").decode("utf-8", "replace")


def is_secure(context: Any) -> bool:
    """Whether the caller came over TLS."""
    return b"ssl" in context.auth_context().get("transport_security_type", ())


def _bind(server: grpc.aio.Server, address: str, credentials: Credentials | None) -> str:
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials.for_server())
    except RuntimeError as error:
        raise RealRunError(
            f"address {address!r}: {_reason(error)}; give HOST:PORT with a free port (0: any), or "
            "unix:/PATH"
        ) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _reason(error: RuntimeError) -> str:
    return " ".join(str(error).split())
