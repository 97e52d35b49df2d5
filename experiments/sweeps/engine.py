"""Where cells are simulated: by this machine's processors, or on a Ray cluster.

Results are yielded as they come, so that each can be kept at once. (joblib's own backend for Ray
has none to yield before all are there, and no way to go on when a worker is lost.)
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from experiments.extras import needs
from experiments.helpers import done_by
from real_runner.errors import RealRunError
from real_runner.fleet.folder import RunFolder
from sim.errors import ScenarioError

T = TypeVar("T")
R = TypeVar("R")
Engine = Literal["local", "ray"]

_PATIENCE_S: Final = 10.0
_AHEAD: Final = 4
"""Items handed out for each of a cluster's processors, so that none has to wait for another."""


def each_of(
    work: Callable[[T], R], items: Sequence[T], engine: Engine, workers: int, address: str = ""
) -> Iterator[R]:
    """Yield what ``work`` makes of each item, in whatever order it is done.

    ``workers`` is how many at once, 0 for one per processor. Of a Ray cluster, ``address`` is that
    of a running one; without, one is started on this machine and ends with this process. Raises
    `ScenarioError` where none answers there.
    """
    if engine == "ray":
        yield from _on_ray(work, items, workers, address)
    else:
        yield from done_by(workers or -1, work, items, return_as="generator_unordered")


def _on_ray(work: Callable[[T], R], items: Sequence[T], workers: int, address: str) -> Iterator[R]:
    with _cluster(workers, address) as ray:
        task = ray.remote(num_cpus=1)(lambda item: work(item))  # noqa: PLW0108 - takes functions only
        places = workers or int(ray.cluster_resources().get("CPU", 1))
        left = iter(items)
        pending = [task.remote(item) for item in islice(left, _AHEAD * places)]
        while pending:
            done, pending = ray.wait(pending)
            pending += [task.remote(item) for item in islice(left, len(done))]
            yield from _fetched(ray, done)


def _fetched(ray: Any, done: Sequence[Any]) -> list[Any]:
    """Return results; a worker that is lost has been replaced a few times by then."""
    try:
        found: list[Any] = ray.get(done)
    except ray.exceptions.RayError as error:
        first = str(error).partition("\n")[0]
        raise RealRunError(f"Ray: {first}; what is done is kept where it was to be") from error
    return found


@contextmanager
def _cluster(workers: int, address: str) -> Iterator[Any]:
    """Lend Ray, connected; what was started here is stopped, and its folder removed."""
    with needs("cluster", "ray"):
        import ray  # noqa: PLC0415 - an extra
    with nullcontext() if address else RunFolder() as folder:
        options = {} if folder is None else _started_here(folder, workers)
        try:
            _require_answer(address)
            ray.init(
                address=address or "local", log_to_driver=False, logging_level="error", **options
            )
        except OSError as error:  # of which a connection that fails is one
            raise ScenarioError(
                f"--address {address}: no Ray cluster answers there ({error}); start one with "
                "'ray start --head', or leave the option out"
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _started_here(folder: RunFolder, workers: int) -> dict[str, Any]:
    """Return what makes a cluster one of this machine, which ``tessera clean`` knows."""
    count = workers or os.cpu_count()
    return {"num_cpus": count, "include_dashboard": False, "_temp_dir": str(folder.path)}


def _require_answer(address: str) -> None:
    """Raise `OSError` where nobody listens: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), _PATIENCE_S).close()
