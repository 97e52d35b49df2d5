"""Who runs the middle layers of a Llama that is cut in three: the quickest clouds with the room."""

from typing import NamedTuple

from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute
from sim.policies.generating import has_room, llama_of, text_bytes
from sim.policies.placement import Job, clouds_of
from sim.policy import Estimates, Progress
from workloads.codec import codec_named


class Cut(NamedTuple):
    """Layers [a, b) are the middle; ``codec`` writes hidden states.

    So many ``clouds`` of different providers share it (0: one of every provider).
    """

    a: int
    b: int
    codec: str
    clouds: int = 1


class Part(NamedTuple):
    """Layers [first, last) on ``node``."""

    node: str
    first: int
    last: int


def parts_at_work(progress: Progress, a: int, b: int) -> tuple[Part, ...]:
    """Return who has the caches of layers [a, b); nobody after a loss."""
    found: list[Part] = []
    for step in reversed(progress.finished if not progress.lost else ()):
        if isinstance(step, Compute) and step.stages[0].kind == "llama.middle":
            blocks = step.stages[0].blocks
            if blocks[-1] + 1 != (found[-1].first if found else b):
                return ()
            found.append(Part(step.node, blocks[0], blocks[-1] + 1))
            if blocks[0] == a:
                return tuple(reversed(found))
    return ()


def parts_for(cut: Cut, job: Job, edge: str, world: Estimates) -> tuple[Part, ...]:
    """Cut the middle into as equal ranges as there are clouds to run them."""
    nodes = quickest_clouds(cut, job, edge, world)
    layers = cut.b - cut.a
    count = min(len(nodes), layers)
    bounds = [cut.a + layers * each // count for each in range(count + 1)]
    return tuple(map(Part, nodes[:count], bounds[:-1], bounds[1:]))


def quickest_clouds(cut: Cut, job: Job, edge: str, world: Estimates) -> tuple[str, ...]:
    """Return the quickest cloud of each provider that has the memory, the quickest of all first.

    Raises `CannotServeError` where no cloud has it, `PolicyError` where there are too few.
    """
    llama = llama_of(job.model)
    wanted = cut.clouds or _providers(world)
    stage = llama.middle(cut.a, cut.b, 1, llama.prompt_tokens)
    needed_bytes = text_bytes(llama, stage.weight_bytes, cut.b - cut.a) / wanted
    codec = codec_named(cut.codec)
    up, down = (llama.hidden(1, depth).encoded_bytes(codec) for depth in (cut.a, cut.b))
    found: dict[str, tuple[float, str]] = {}
    for cloud in clouds_of(job, world):
        name, owner = cloud.name, cloud.provider or cloud.name
        if not has_room(cloud, needed_bytes):
            continue
        round_s = world.transfer_s(edge, name, up) + world.seconds((stage,), name)
        round_s += world.transfer_s(name, edge, down)
        found[owner] = min(found.get(owner, (round_s, name)), (round_s, name))
    if not found:
        raise CannotServeError(
            f"no cloud that is up has the memory for {needed_bytes / 1e9:.3g} GB of weights and "
            "caches; share the middle among more clouds, or give the edge more layers"
        )
    names = tuple(name for _, name in sorted(found.values()))
    return names[: cut.clouds or len(names)]


def require_providers(cut: Cut, world: Estimates) -> None:
    """Raise `PolicyError` where more clouds are wanted than there are providers."""
    count = _providers(world)
    if cut.clouds > count:
        raise PolicyError(
            f"clouds: {cut.clouds} wanted, but topology {world.topology.name!r} has clouds of "
            f"{count} providers; ask for fewer"
        )


def _providers(world: Estimates) -> int:
    untrusted = [cloud for cloud in world.topology.clouds if not cloud.trusted]
    return max(len({cloud.provider or cloud.name for cloud in untrusted}), 1)
