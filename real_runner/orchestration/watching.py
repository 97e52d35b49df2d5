"""What is watched while a run is under way: whether workers live, and whether links do."""

import asyncio
import time

from real_runner.fleet.fleet import Fleet
from real_runner.links.certified import CertifiedLinks
from real_runner.orchestration.run import Run

PINGS_PER_SILENCE = 5


async def watch(run: Run, fleet: Fleet, silence_s: float) -> None:
    """Ask all workers for signs of life; take the silent for dead, and those that speak up back."""
    silent: set[str] = set()
    silence_s = run.clock.wall_s(silence_s)
    interval_s = silence_s / PINGS_PER_SILENCE
    for worker in fleet.workers.values():
        worker.heard_ns = time.monotonic_ns()
    while True:
        fleet.ping()
        run.observer.take()
        run.sweep()
        run.tidy_up()
        slept_s = await _sleep(interval_s)
        if slept_s > 2 * interval_s:
            continue  # we were late ourselves; what workers said meanwhile is still to be read
        for node, worker in list(fleet.workers.items()):
            quiet_s = (time.monotonic_ns() - worker.heard_ns) * 1e-9
            if node not in silent and quiet_s > silence_s:
                silent.add(node)
                run.died(node, "given-up", f"silent for {run.clock.model_s(quiet_s):.2f} s")
            elif node in silent and quiet_s < silence_s / 2:
                silent.discard(node)
                run.revived(node)


async def watch_links(run: Run, links: CertifiedLinks) -> None:
    """End a run whose links are gone; it would wait for packets in vain."""
    run.fail(await links.emulation.ended())


async def _sleep(seconds: float) -> float:
    """Sleep, and return for how long it was."""
    began_s = time.monotonic()
    await asyncio.sleep(seconds)
    return time.monotonic() - began_s
