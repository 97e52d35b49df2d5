"""``tessera worker``: a node of somebody's run, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.extras import needs
from real_runner.errors import RealRunError


def worker(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0: any.")],
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The node's folder of what 'tessera credentials' made."),
    ] = None,
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Without TLS: whoever comes may command it.")
    ] = False,
) -> None:
    """Be a node: serve one run after the other until interrupted.

    Example: tessera worker --listen 0.0.0.0:7001 --credentials keys/cloud-1
    """
    host, separator, port = listen.rpartition(":")
    if not (host and separator and port.isdecimal() and int(port) < 1 << 16):
        raise RealRunError(f"--listen {listen!r}: give HOST:PORT, e.g. 0.0.0.0:7001")
    if (credentials is None) != insecure:
        raise RealRunError("--credentials: name the node's folder, or give --insecure instead")
    with needs("real"):
        from real_runner.workers.service import serve_node  # noqa: PLC0415
    serve_node((listen,), credentials, _announce)


def _announce(node: str, address: str) -> None:
    print(f"{node or 'a node without a name'} listens at {address}", flush=True)
