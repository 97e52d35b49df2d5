"""What has to happen on a node for every stage of a model to run there, and nothing else.

A script is one node's part of a request: what arrives from elsewhere, and what runs on it, in
order. What arrives is made up, so the edge is measured without clouds and a cloud without an edge.
"""

from collections.abc import Collection, Iterable, Iterator

from sim.profiles import Key
from workloads.errors import WorkloadError
from workloads.privacy import Noise
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, rounds
from workloads.sam.sharding import UPLOADS, Sharding
from workloads.sam.shares import shared_rounds
from workloads.stage import Payload, Shard, Stage

Script = tuple[Payload | Stage, ...]

PROMPT = Payload("prompt")
DIVISION = 4
"""Into so many shards the image is cut where the edge is measured."""
SHARES = (2, 3)
"""So many shares the edge draws where it is measured."""


def key_of(stage: Stage) -> Key:
    """Return what tells stages apart as far as their cost goes."""
    return (stage.kind, stage.flops, stage.memory_bytes, stage.launches)


def stages_in(script: Script) -> Iterator[Stage]:
    """Yield the stages of a script, in order."""
    return (each for each in script if isinstance(each, Stage))


def unserved(sam: Sam, served: Collection[str]) -> tuple[str, ...]:
    """Return the kinds of stage of a model that are not among ``served``, sorted."""
    every = {stage.kind for script in _every(sam) for stage in stages_in(script)}
    return tuple(sorted(every.difference(served)))


def scripts(
    sam: Sam, kinds: Iterable[str] = (), left_out: Collection[str] = ()
) -> tuple[Script, ...]:
    """Return scripts that run every stage of ``kinds`` (none given: of every kind) of a model.

    Clouds' stages run on shards of a few sizes from one window to all. Each script runs something
    that none before it does, and none of the kinds ``left_out``. Raises `WorkloadError` for a kind
    that the model does not have, or that is to be left out.
    """
    wanted = set(kinds)
    if refused := wanted.intersection(left_out):
        raise WorkloadError(
            f"stages: {min(refused)!r} cannot be measured: nothing computes it for real yet; "
            "leave it out"
        )
    seen: set[Key] = set()
    found = []
    for script in _every(sam):
        if any(stage.kind in left_out for stage in stages_in(script)):
            continue
        new = {
            key_of(stage) for stage in stages_in(script) if not wanted or stage.kind in wanted
        } - seen
        if new:
            seen |= new
            found.append(_until(script, new))
    if unknown := wanted - {kind for kind, *_ in seen}:
        known = sorted({stage.kind for script in _every(sam) for stage in stages_in(script)})
        raise WorkloadError(
            f"stages: {sam.name} has no {min(unknown)!r}; choose among {', '.join(known)}"
        )
    return tuple(found)


def shards(sam: Sam) -> tuple[Shard, ...]:
    """Return shards of one window to all, from either end of the image: border windows, too."""
    count = len(windows(sam.variant))
    sizes = sorted({*_SIZES, count // 2, count * 3 // 4, count} - {0})
    return tuple(
        shard
        for size in sizes
        if size <= count
        for shard in dict.fromkeys(
            (tuple(range(size)), tuple(range(count - size, count)), _last_column(sam, size))
        )
        if shard
    )


_SIZES = (1, 2, 3, 4, 6, 8, 12, 16)


def _last_column(sam: Sam, size: int) -> Shard:
    """Return windows at the right border without the corner: those that are cut on one side."""
    known = windows(sam.variant)
    last = max(window.column for window in known)
    column = tuple(w.index for w in known if w.column == last and w.row < last)
    return column[:size] if size <= len(column) else ()


def _every(sam: Sam) -> Iterator[Script]:
    yield (sam.captured, PROMPT, sam.prepare, *(link.stage for link in sam.chain))
    yield from _of_shares(sam)
    for sharding in _shardings(sam):
        yield _edge_script(sam, sharding)
        for shard in shards(sam):
            yield _cloud_script(sharding, shard)


def _shardings(sam: Sam) -> Iterator[Sharding]:
    for mode in MODES:
        for upload in UPLOADS:
            if not (mode == "image" and upload == "embeddings"):
                yield rounds(sam, mode, upload=upload)
    yield rounds(sam, "exact", offload_tokenwise=True)
    yield rounds(sam, "prefix", upload="embeddings", noise=Noise(clip=1.0, sigma=1.0))


def _of_shares(sam: Sam) -> Iterator[Script]:
    """Yield what the edge and one cloud do up to the first block that has every kind of stage."""
    blocks = min(sam.variant.windowed_blocks, default=sam.variant.depth - 1) + 1
    for count in SHARES:
        script: list[Payload | Stage] = [sam.captured, PROMPT, sam.prepare]
        for part in shared_rounds(sam, count, blocks):
            script += [part.share, *part.down, *part.edge]
        yield tuple(script)
    script = []
    for part in shared_rounds(sam, min(SHARES), blocks):
        script += [part.up[0], part.compute[0]]
    yield tuple(script)


def _edge_script(sam: Sam, sharding: Sharding) -> Script:
    whole = sam.whole
    division = [shard for n in range(DIVISION) if (shard := whole[n::DIVISION])]
    script: list[Payload | Stage] = [sam.captured, PROMPT, sam.prepare, *sharding.before]
    for part in sharding.rounds:
        script += [part.down(shard) for shard in division]
        script += part.edge
    return tuple(script)


def _cloud_script(sharding: Sharding, shard: Shard) -> Script:
    script: list[Payload | Stage] = []
    for part in sharding.rounds:
        arriving = part.up(shard)
        if arriving.elements or arriving.fixed_bytes:  # who has all windows gets none of others
            script.append(arriving)
        script.append(part.compute(shard))
    return tuple(script)


def _until(script: Script, wanted: set[Key]) -> Script:
    """Return a script up to the last stage that is wanted."""
    last = max(
        place
        for place, each in enumerate(script)
        if isinstance(each, Stage) and key_of(each) in wanted
    )
    return script[: last + 1]
