"""The link process: makes the nodes' places, then becomes the program that forwards packets.

Started as ``python -m real_runner.links.userspace.process --run=RUN FOLDER PROGRAM``, where FOLDER
holds its orders. Says what `real_runner.links.emulation` expects. The kernel ends it with its
parent.
"""

import json
import os
import sys
from pathlib import Path

from pyroute2 import IPRoute

from real_runner.errors import RealRunError
from real_runner.links.entering import new_namespace
from real_runner.links.network import MTU_BYTES
from real_runner.links.places import Place, read_places
from real_runner.links.settling import add_routes, settle
from real_runner.links.userspace.devices import QUEUE_PACKETS, open_device
from real_runner.links.userspace.orders import NETWORK
from real_runner.workers.confinement import die_with_parent


def main(run: str, folder: Path, program: str) -> None:
    """Make the places and become the forwarder."""
    die_with_parent(os.getppid())
    made = [make_place(run, place) for place in read_places(folder)]
    for descriptor in (each for pair in made for each in pair):
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - as the standard library has it
    namespaces = [namespace for namespace, _ in made]
    print(json.dumps({"namespaces": namespaces, "process": os.getpid()}), flush=True)
    devices = [str(device) for _, device in made]
    os.execv(program, [program, f"--run={run}", str(folder / NETWORK), *devices])  # noqa: S606


def make_place(run: str, place: Place) -> tuple[int, int]:
    """Make a node's namespace and device, stay in there, and return descriptors of both.

    Raises `RealRunError` where this kernel or user cannot.
    """
    namespace = new_namespace()
    settle(place)
    device_name = f"ts-{run}"[:15]
    device = open_device(device_name)
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname=device_name)[0]
        kernel.link("set", index=index, mtu=MTU_BYTES, txqlen=QUEUE_PACKETS, state="up")
        add_routes(kernel, index, place)
    return namespace, device


if __name__ == "__main__":
    try:
        main(sys.argv[1].removeprefix("--run="), Path(sys.argv[2]), sys.argv[3])
    except RealRunError as error:
        sys.exit(str(error))
