"""Which cuts to predict and which to train on, where the user names none: others, that is."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from topologies.topology import Topology
from workloads.llama.model import Llama
from workloads.sdxl.model import Sdxl
from workloads.stage import Model

_TELLING = (
    "local",
    "sharded/deferred:assignment=round-robin,upload=embeddings",
    "sharded/exact:assignment=round-robin",
)
"""Between them they run every stage of the chain, in enough combinations to tell them apart, and
every cloud, however slow it is thought to be."""

_CUTS = (
    {"a": "2", "b": "-2"},
    {"a": "1", "b": "-3"},
    {"a": "3", "b": "-1"},
)
"""Of a Llama, beside the default (1, -1): so many layers on either side, and of the middle."""

_DESIGNS = ("lambda-split/lockstep", "lambda-split/edge-scheduler")
_SHARES = "sharded/shares"
_OTHER_CODEC = MappingProxyType({"fp32": "fp16"})


def unseen_for(
    policy: str, topology: Topology, model: Model, trained: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return policies to predict where a scenario has ``policy``: that, and another cut.

    Of a SAM it is an exact one that sends tokens up and down in every round, into a number of
    shards that no default training has; of a Llama one with other layers at the edge; of Stable
    Diffusion XL the other design. It is left out where it is among those ``trained``.

    >>> from topologies.shipped import load
    >>> from workloads.catalogue import model_named
    >>> unseen_for("sharded/prefix", load("small-sam"), model_named("sam-small"))
    ('sharded/prefix', 'sharded/exact:assignment=round-robin,clouds=3')
    """
    most = _most(topology)
    other = f"sharded/exact:assignment=round-robin,clouds={max(1, most - 1)}"
    if isinstance(model, Llama):
        other = _with(policy, _CUTS[0]) if policy.startswith("lambda-split") else ""
    elif isinstance(model, Sdxl):
        name, colon, parameters = policy.partition(":")
        others = [design for design in _DESIGNS if name in _DESIGNS and design != name]
        other = f"{others[0]}{colon}{parameters}" if others else ""
    known = not other or any(_same(each, other, most) for each in (policy, *trained))
    return (policy,) if known else (policy, other)


def training_for(tested: Sequence[str], topology: Topology, model: Model) -> tuple[str, ...]:
    """Return policies to train on: telling ones, and what is tested in other sizes or cuts.

    None of them is in ``tested``.

    >>> from topologies.shipped import load
    >>> from workloads.catalogue import model_named
    >>> training_for(["sharded/image"], load("orin-nano-4-clouds"), model_named("sam-small"))[3:]
    ('sharded/image:clouds=2',)
    """
    most = _most(topology)
    if isinstance(model, Llama):
        wanted = [_with(spec, cut) for spec in tested if "lambda-split" in spec for cut in _CUTS]
    elif isinstance(model, Sdxl):
        wanted = [_recoded(spec) for spec in tested if spec.partition(":")[0] in _DESIGNS]
    else:
        shards = [spec for spec in tested if spec.startswith("sharded/")]
        resized = [
            _with(spec, {"clouds": str(count)})
            for spec in shards
            for count in sorted({max(_fewest(spec), most // 2), most})
            if _fewest(spec) <= count <= most
        ]
        wanted = [*_TELLING, *resized]
    chosen: list[str] = []
    for spec in wanted:
        if not any(_same(spec, other, most) for other in (*tested, *chosen)):
            chosen.append(spec)
    return tuple(chosen)


def _most(topology: Topology) -> int:
    return sum(not cloud.trusted for cloud in topology.clouds)


def _fewest(spec: str) -> int:
    """Return the fewest clouds that a sharded policy takes."""
    return 2 if spec.partition(":")[0] == _SHARES else 1


def _with(spec: str, changes: Mapping[str, str]) -> str:
    """Return a policy with these parameters in the place of its own."""
    name, _, parameters = spec.partition(":")
    pairs = (each for each in parameters.split(",") if each)
    kept = [pair for pair in pairs if pair.partition("=")[0] not in changes]
    return f"{name}:{','.join([*kept, *(f'{key}={value}' for key, value in changes.items())])}"


def _recoded(spec: str) -> str:
    """Return a policy of Stable Diffusion XL that sends the same numbers in another format."""
    pairs = dict(each.split("=") for each in spec.partition(":")[2].split(",") if each)
    return _with(spec, {"codec": _OTHER_CODEC.get(pairs.get("codec", "fp16"), "fp32")})


def _same(spec: str, other: str, most: int) -> bool:
    """Whether two are one policy: where no clouds are counted all are used, or two by shares."""
    return _full(spec, most) == _full(other, most)


def _full(spec: str, most: int) -> tuple[str, frozenset[str]]:
    name, _, parameters = spec.partition(":")
    kept = frozenset(filter(None, parameters.split(",")))
    counted = any(each.startswith("clouds=") for each in kept)
    default = _fewest(spec) if name == _SHARES else most
    return name, kept if counted or "sharded" not in name else kept | {f"clouds={default}"}
