"""A process that receives parcels and tells on standard output what came of each, as JSON lines.

Its arguments: an address, a folder of credentials or "-", and limits as name=value.
"""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import Parcel
from real_runner.wire.receiving import Post
from real_runner.wire.server import serve


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def accept(parcel: Parcel, end_ns: int) -> None:
    digest = hashlib.sha256(parcel.array.tobytes()).hexdigest()
    tell(job=parcel.job, digest=digest, start_ns=parcel.start_ns, end_ns=end_ns)


def refused(source: str, job: int, step: int, reason: str) -> None:
    tell(refused=reason, source=source, job=job, step=step)


async def receive(address: str, folder: str, limits: Limits) -> None:
    post = Post(limits)
    post.open("run", "b", accept, refused)
    post.know({"a", "b"})
    credentials = None if folder == "-" else Credentials.load(Path(folder))
    server = await serve(address, credentials, [post.handler()], limits)
    tell(address=server.addresses[0])
    await asyncio.Event().wait()


def main(address: str, folder: str, *limits: str) -> None:
    given = (limit.split("=") for limit in limits)
    asyncio.run(receive(address, folder, Limits(**{name: int(value) for name, value in given})))


if __name__ == "__main__":
    main(*sys.argv[1:])
