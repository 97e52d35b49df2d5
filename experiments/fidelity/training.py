"""Which cuts to predict and which to train on, where the user names none: others, that is."""

from collections.abc import Sequence

from topologies.topology import Topology

_TELLING = (
    "local",
    "sharded/deferred:assignment=round-robin,upload=embeddings",
    "sharded/exact:assignment=round-robin",
)
"""Between them they run every stage of the chain, in enough combinations to tell them apart, and
every cloud, however slow it is thought to be."""


def unseen_for(policy: str, topology: Topology, trained: Sequence[str] = ()) -> tuple[str, ...]:
    """Return policies to predict where a scenario has ``policy``: that, and an exact cut.

    The exact one sends tokens up and down in every round, into a number of shards that no default
    training has; it is left out where it is among those ``trained``.

    >>> from topologies.shipped import load
    >>> unseen_for("sharded/prefix", load("small-sam"))
    ('sharded/prefix', 'sharded/exact:assignment=round-robin,clouds=3')
    """
    most = _most(topology)
    exact = f"sharded/exact:assignment=round-robin,clouds={max(1, most - 1)}"
    known = any(_same(each, exact, most) for each in (policy, *trained))
    return (policy,) if known else (policy, exact)


def training_for(tested: Sequence[str], topology: Topology) -> tuple[str, ...]:
    """Return policies to train on: the telling ones, and what is tested in other shard sizes.

    None of them is in ``tested``.

    >>> from topologies.shipped import load
    >>> training_for(["sharded/image"], load("orin-nano-4-clouds"))[3:]
    ('sharded/image:clouds=2',)
    """
    most = _most(topology)
    counts = sorted({max(1, most // 2), most})
    resized = [
        _with_clouds(spec, count)
        for spec in tested
        if spec.startswith("sharded/")
        for count in counts
    ]
    chosen: list[str] = []
    for spec in (*_TELLING, *resized):
        if not any(_same(spec, other, most) for other in (*tested, *chosen)):
            chosen.append(spec)
    return tuple(chosen)


def _most(topology: Topology) -> int:
    return sum(not cloud.trusted for cloud in topology.clouds)


def _with_clouds(spec: str, count: int) -> str:
    name, _, parameters = spec.partition(":")
    kept = [each for each in parameters.split(",") if each and not each.startswith("clouds=")]
    return f"{name}:{','.join([*kept, f'clouds={count}'])}"


def _same(spec: str, other: str, most: int) -> bool:
    """Whether two are one policy: all clouds are used where none are counted."""
    return _full(spec, most) == _full(other, most)


def _full(spec: str, most: int) -> tuple[str, frozenset[str]]:
    name, _, parameters = spec.partition(":")
    kept = frozenset(filter(None, parameters.split(",")))
    counted = any(each.startswith("clouds=") for each in kept)
    return name, kept if counted or "sharded" not in name else kept | {f"clouds={most}"}
