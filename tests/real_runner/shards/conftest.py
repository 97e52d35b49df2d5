"""Random SAMs at small width, their reference by `segment_anything`, and nodes that hold them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from real_runner.deployment import NodeSpec  # noqa: E402
from real_runner.shards import weights  # noqa: E402
from real_runner.shards.architecture import empty_sam  # noqa: E402
from real_runner.shards.inputs import captured  # noqa: E402
from real_runner.shards.operators import import_segment_anything  # noqa: E402
from real_runner.shards.sam import SamExecutor, sam_executor  # noqa: E402
from workloads.images import Image  # noqa: E402
from workloads.sam.model import Sam  # noqa: E402
from workloads.sam.sharding import Sharding  # noqa: E402
from workloads.sam.variants import Variant  # noqa: E402
from workloads.stage import Payload, Shard  # noqa: E402

GEOMETRY_OF_B = Variant("thin", 48, 6, 3, (2, 5))
ODD = Variant("odd", 48, 5, 3, (1, 4), window_tokens=6, image_px=256)
"""16 tokens a side, so windows of 6 leave a border of 4: nine windows of three sorts."""

PROMPT = Payload("prompt")


@dataclass(frozen=True)
class World:
    """A model, its weights as a file, one picture, and the reference in double precision."""

    sam: Sam
    path: Path
    file: bytes
    prompts: np.ndarray
    reference: Any
    pool: list[SamExecutor] = field(default_factory=list)

    def pooled(self, count: int) -> list[SamExecutor]:
        """Return nodes that earlier tests have used, too; they have forgotten it."""
        self.pool.extend(self.node() for _ in range(count - len(self.pool)))
        for node in self.pool:
            node.forget(0)
        return self.pool[:count]

    def node(self, dtype: str = "fp64") -> SamExecutor:
        return sam_executor(self.sam, self.path, NodeSpec(dtype=dtype))

    def origin(self, job: int = 0, node: SamExecutor | None = None) -> SamExecutor:
        """Return a node that has the picture and the prompts, the picture prepared."""
        node = node or self.node()
        node.put(job, self.sam.captured, np.frombuffer(self.file, np.uint8))
        node.put(job, PROMPT, self.prompts)
        node.run(job, (self.sam.prepare,))
        return node

    def embedding(self, node: SamExecutor, job: int = 0, depth: int | None = None) -> np.ndarray:
        """Return the embedding on a node as the reference has it, (1, channels, grid, grid)."""
        variant = self.sam.variant
        width = variant.neck_channels
        level = variant.depth if depth is None else depth
        payload = Payload(
            "embedding", self.sam.whole, variant.tokens * width, variant.tokens, level
        )
        return self.on_grid(node.get(job, payload))

    def mask(self, node: SamExecutor, job: int = 0) -> np.ndarray:
        return node.get(job, self.sam.chain[-1].output)

    def on_grid(self, rows: np.ndarray) -> np.ndarray:
        """Return a matrix of the whole image's tokens as (1, width, grid, grid)."""
        grid = self.sam.variant.grid_tokens
        result = np.empty((1, rows.shape[1], grid, grid), rows.dtype)
        start = 0
        for top, left, height, width in extents(self.sam.variant):
            part = rows[start : start + height * width].reshape(height, width, -1)
            result[0, :, top : top + height, left : left + width] = part.transpose(2, 0, 1)
            start += height * width
        return result

    def image_tensor(self) -> Any:
        """Return the picture as the reference's encoder reads it, by the reference's own means."""
        package = import_segment_anything()
        size = (self.sam.image.height_px, self.sam.image.width_px, 3)
        colours = np.frombuffer(self.file, np.uint8).reshape(size)
        transform = package.utils.transforms.ResizeLongestSide(self.sam.variant.image_px)
        resized = torch.from_numpy(transform.apply_image(colours)).permute(2, 0, 1)
        return self.reference.preprocess(resized.double())[None]


def extents(variant: Variant) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of each window, in tokens, worked out anew."""
    starts = range(0, variant.grid_tokens, variant.window_tokens)
    side = [(s, min(variant.window_tokens, variant.grid_tokens - s)) for s in starts]
    return [(top, left, height, width) for top, height in side for left, width in side]


def make_world(variant: Variant, folder: Path, **model: Any) -> World:
    sam = Sam(variant, **{"image": Image(300, 200, "raw"), "prompts": 2, **model})
    path = folder / f"{variant.name}.safetensors"
    state = weights.drawn(variant, seed=7)
    weights.save(state, path)
    reference = empty_sam(variant)
    plain = {n: t.clone() for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}
    reference.load_state_dict(plain, assign=True)
    reference.image_encoder.double()
    reference.mask_decoder.double()
    reference.pixel_mean = torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1).double()
    reference.pixel_std = torch.tensor([58.395, 57.12, 57.375]).view(-1, 1, 1).double()
    file, prompts = captured(sam, seed=3, index=0)
    return World(sam, path, file, prompts, reference)


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(ODD, tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="session")
def thin(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(GEOMETRY_OF_B, tmp_path_factory.mktemp("thin"))


@pytest.fixture(scope="session")
def odd_embedding(odd: World) -> np.ndarray:
    return reference_embedding(odd)


@pytest.fixture(scope="session")
def thin_embedding(thin: World) -> np.ndarray:
    return reference_embedding(thin)


def reference_embedding(world: World) -> np.ndarray:
    with torch.inference_mode():
        return world.reference.image_encoder(world.image_tensor()).numpy()


@pytest.fixture
def run_rounds() -> Any:
    return play


def play(world: World, sharding: Sharding, shards: tuple[Shard, ...]) -> SamExecutor:
    """Run a sharded request over an edge and one cloud per shard; return the edge."""
    first, *clouds = world.pooled(1 + len(shards))
    edge = world.origin(node=first)
    edge.run(0, sharding.before)
    for trip in sharding.rounds:
        for cloud, shard in zip(clouds, shards, strict=True):
            cloud.put(0, trip.up(shard), edge.get(0, trip.up(shard)))
            cloud.run(0, (trip.compute(shard),))
            edge.put(0, trip.down(shard), cloud.get(0, trip.down(shard)))
        edge.run(0, trip.edge)
    return edge
