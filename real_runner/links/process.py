"""The link process: makes the nodes' places, then becomes the program that forwards packets.

Started as ``python -m real_runner.links.process --run=RUN FOLDER``, where FOLDER holds its orders.
It says on standard output, in lines of JSON, first the descriptors that are the nodes' namespaces,
then what the forwarder has to say. The kernel ends it with its parent.
"""

import json
import os
import sys
from pathlib import Path

from real_runner.errors import RealRunError
from real_runner.links.namespaces import make_place
from real_runner.links.orders import NETWORK, read_orders
from real_runner.workers.confinement import die_with_parent


def main(run: str, folder: Path) -> None:
    """Make the places and become the forwarder."""
    die_with_parent(os.getppid())
    program, orders = read_orders(folder)
    places = [make_place(run, order) for order in orders]
    for place in places:
        os.set_inheritable(place.namespace, True)  # noqa: FBT003 - as the standard library has it
        os.set_inheritable(place.device, True)  # noqa: FBT003
    print(json.dumps({"namespaces": [place.namespace for place in places]}), flush=True)
    devices = [str(place.device) for place in places]
    os.execv(program, [program, f"--run={run}", str(folder / NETWORK), *devices])  # noqa: S606


if __name__ == "__main__":
    try:
        main(sys.argv[1].removeprefix("--run="), Path(sys.argv[2]))
    except RealRunError as error:
        sys.exit(str(error))
