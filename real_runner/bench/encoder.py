"""How fast SAM's encoder runs here: ``python -m real_runner.bench.encoder``.

The baseline is `segment_anything`'s own encoder with the same weights, threads and precision
(fp32) on the processor, in the same run. Beside it one worker runs each mode on all windows: the
stages of edge and clouds, from the resized image to the embedding, without transfers and decoder.
Repetitions of all take turns, in an order drawn anew, so that what else the machine does meets all
alike. Medians, and how many times as fast as the baseline: by the clock, and by the processor time
of all threads, which a busy machine disturbs less. Modes that change the function do other
work than the baseline; `image` runs a far smaller encoder.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from real_runner.deployment import NodeSpec
from real_runner.shards import weights
from real_runner.shards.architecture import empty_sam
from real_runner.shards.dense import product, product_gelu
from real_runner.shards.inputs import captured
from real_runner.shards.sam import SamExecutor, sam_executor
from real_runner.shards.saving import save
from workloads.images import Image
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, rounds
from workloads.sam.variants import VARIANTS, Variant
from workloads.stage import Shard, Stage

REPEATS = {"small": 25, "vit-b": 3}
SEED = 3
JOB = 0

Work = Callable[[], object]


class Way(NamedTuple):
    """One way of doing a piece of work, and what is to be there before, which is not timed."""

    work: Work
    prepare: Work = lambda: None


class Taken(NamedTuple):
    """Medians of the time that one way takes, and of the processor time of all its threads."""

    clock_s: float
    processor_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One way of doing a piece of work, and the baseline's way of doing it."""

    work: str
    way: str
    baseline: Taken
    ours: Taken

    @property
    def ratio(self) -> float:
        """How many times as fast as the baseline."""
        return self.baseline.clock_s / self.ours.clock_s

    @property
    def processor_ratio(self) -> float:
        """How many times as much processor time the baseline takes."""
        return self.baseline.processor_s / self.ours.processor_s


def rows(variants: Sequence[str], repeats: Mapping[str, int] = REPEATS) -> Iterator[Row]:
    """Measure the product and each of the variants with as many threads as torch now uses."""
    with torch.inference_mode():
        yield from _products()
    for name in variants:
        with tempfile.TemporaryDirectory() as folder:
            yield from _encoders(VARIANTS[name], repeats.get(name, 2), Path(folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m real_runner.bench.encoder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(REPEATS))
    parser.add_argument("--repeats", type=int, help=f"default: {REPEATS}")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    chosen = options.variants
    repeats = dict.fromkeys(chosen, options.repeats) if options.repeats else REPEATS
    table = Table("work", "way", "baseline ms", "ms", "times as fast", "by processor time",
                  title=f"{options.threads} threads, torch {torch.__version__}")  # fmt: skip
    for row in rows(chosen, repeats):
        times = (f"{taken.clock_s * 1e3:,.1f}" for taken in (row.baseline, row.ours))
        table.add_row(row.work, row.way, *times, f"{row.ratio:.2f}", f"{row.processor_ratio:.2f}")
    Console().print(table)
    return 0


def _products() -> Iterator[Row]:
    """Compare the product of ViT-B's tokens with a layer of its MLP, without and with GELU."""
    tokens, weight, bias = torch.randn(4096, 768), torch.randn(3072, 768), torch.randn(3072)
    ways: dict[str, tuple[Work, Work]] = {
        "product": (
            lambda: functional.linear(tokens, weight, bias),
            lambda: product(tokens, weight, bias),
        ),
        "product and GELU": (
            lambda: functional.gelu(functional.linear(tokens, weight, bias)),
            lambda: product_gelu(tokens, weight, bias),
        ),
    }
    for way, (baseline, ours) in ways.items():
        yield Row("4096×768×3072", way, *_medians([Way(baseline), Way(ours)], repeats=9))


def _encoders(variant: Variant, repeats: int, folder: Path) -> Iterator[Row]:
    sam = Sam(variant, Image(variant.image_px, variant.image_px, "raw"))
    path = folder / "weights.safetensors"
    save(weights.drawn(variant, SEED), path)
    stages = {"unsplit": tuple(link.stage for link in sam.chain[:-1])}
    each = tuple((window,) for window in sam.whole)
    for mode in MODES:
        stages[mode] = _stages(sam, mode, (sam.whole,))
    stages["exact, token-wise work offloaded"] = _stages(
        sam, "exact", (sam.whole,), offload_tokenwise=True
    )
    stages["exact, a shard per window"] = _stages(sam, "exact", each)
    node = sam_executor(sam, path, NodeSpec(dtype="fp32"))
    prepare = partial(_prepare, node, sam)
    ways = [Way(partial(node.run, JOB, some), prepare) for some in stages.values()]
    baseline, *ours = _medians([Way(_baseline(variant, path)), *ways], repeats)
    for way, taken in zip(stages, ours, strict=True):
        yield Row(f"encoder of {variant.name}", way, baseline, taken)


def _prepare(node: SamExecutor, sam: Sam) -> None:
    """Have nothing on a node but a picture, decoded and resized."""
    node.forget(JOB)
    file, _ = captured(sam, SEED, 0)
    node.put(JOB, sam.captured, np.frombuffer(file, np.uint8))
    node.run(JOB, (sam.prepare, sam.partition()))


def _stages(
    sam: Sam, mode: str, shards: tuple[Shard, ...], *, offload_tokenwise: bool = False
) -> tuple[Stage, ...]:
    """Return the stages of edge and clouds one after the other, up to the embedding."""
    sharding = rounds(sam, mode, offload_tokenwise=offload_tokenwise)
    stages = list(sharding.before)
    for trip in sharding.rounds:
        stages += [trip.compute(shard) for shard in shards]
        stages += [stage for stage in trip.edge if stage.kind != "sam.decode"]
    return tuple(stages)


def _baseline(variant: Variant, path: Path) -> Work:
    """Return one pass of the reference's own encoder."""
    sam: Any = empty_sam(variant)
    state = weights.load(path, variant)
    plain = {n: t for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}
    sam.load_state_dict(plain, assign=True)
    image = torch.randn(1, 3, variant.image_px, variant.image_px)

    def encode() -> object:
        with torch.inference_mode():
            return sam.image_encoder(image)

    return encode


def _medians(ways: Sequence[Way], repeats: int) -> list[Taken]:
    """Return what each one takes; all take turns, after one round that does not count."""
    generator = np.random.default_rng(SEED)
    taken: list[list[Taken]] = [[] for _ in ways]
    for turn in range(repeats + 1):
        for index in generator.permutation(len(ways)):
            ways[index].prepare()
            clock_s, processor_s = time.perf_counter(), time.process_time()
            ways[index].work()
            if turn:
                spent = time.perf_counter() - clock_s, time.process_time() - processor_s
                taken[index].append(Taken(*spent))
    return [Taken(*map(median, zip(*each, strict=True))) for each in taken]


if __name__ == "__main__":
    raise SystemExit(main())
