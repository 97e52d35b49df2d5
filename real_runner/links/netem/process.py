"""The process of netem links: makes namespaces and devices, holds them, and obeys.

Started as ``python -m real_runner.links.netem.process --run=RUN FOLDER``, where FOLDER holds its
orders. Says what `real_runner.links.emulation` expects. Namespaces and devices end with it, and the
kernel ends it with its parent.
"""

import json
import os
import sys
from pathlib import Path

from pyroute2.netlink.exceptions import NetlinkError

from real_runner.errors import RealRunError
from real_runner.links.kernel import is_guest
from real_runner.links.netem.commanding import Commander
from real_runner.links.netem.disciplines import has_netem
from real_runner.links.netem.offloads import OFF
from real_runner.links.netem.orders import read_wires
from real_runner.links.netem.wiring import address, lay, make_node, make_wires
from real_runner.links.places import read_places
from real_runner.workers.confinement import die_with_parent


def main(folder: Path) -> None:
    """Make what the folder says, and obey until there are no more commands."""
    die_with_parent(os.getppid())
    places, orders = read_places(folder), read_wires(folder)
    wires = make_wires()
    if not has_netem():
        raise RealRunError("this kernel has no netem; modprobe sch_netem, or run with --inside uml")
    nodes = [make_node(place) for place in places]
    directions = [
        direction
        for number, wire in enumerate(orders.wires)
        for direction in lay(number, wire, nodes, wires)
    ]
    for number, (node, place) in enumerate(zip(nodes, places, strict=True)):
        address(number, node, place, orders)
    say({"namespaces": [node.namespace for node in nodes], "process": os.getpid()})
    commander = Commander(directions)
    say({"realtime": not is_guest(), "offloads": OFF, "losses": "unseeded"})
    commander.obey(sys.stdin)


def say(what: object) -> None:
    """Write a line of JSON to standard output."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[2]))
    except RealRunError as error:
        sys.exit(str(error))
    except NetlinkError as error:
        sys.exit(f"netlink: {error.args[-1]}; run with --links userspace")
