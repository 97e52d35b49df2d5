"""Every number of the Segment Anything Model's architecture, in one place.

Source: package ``segment-anything`` 1.0, ``build_sam.py`` and the constructors it calls
(Kirillov et al., "Segment Anything", 2023, arXiv 2304.02643).
"""

from dataclasses import dataclass

from workloads.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Variant:
    """A SAM image encoder with its neck and mask decoder.

    Tokens lie on a grid of ``grid_tokens``² patches of ``patch_px``² pixels. Blocks whose index
    is in ``global_blocks`` attend over the whole grid, the others inside windows of
    ``window_tokens``². Attention adds decomposed relative positions if ``relative_position``.

    Raises `WorkloadError` if the numbers contradict each other.
    """

    name: str
    dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    patch_px: int = 16
    window_tokens: int = 14
    image_px: int = 1024
    neck_channels: int = 256
    mlp_ratio: int = 4
    relative_position: bool = True

    def __post_init__(self) -> None:
        for field in ("dim", "depth", "heads", "patch_px", "window_tokens", "image_px"):
            if getattr(self, field) < 1:
                raise self._error(field, "give a whole number of at least 1")
        if self.dim % self.heads:
            raise self._error("dim", f"give a multiple of heads = {self.heads}")
        if self.image_px % self.patch_px:
            raise self._error("image_px", f"give a multiple of patch_px = {self.patch_px}")
        ascending = tuple(sorted(set(self.global_blocks)))
        if ascending != self.global_blocks or not set(ascending) <= set(range(self.depth)):
            raise self._error(
                "global_blocks", f"give ascending block indices from 0 to {self.depth - 1}"
            )

    def _error(self, field: str, remedy: str) -> WorkloadError:
        return WorkloadError(f"variant {self.name}: {field}: {getattr(self, field)!r}; {remedy}")

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.dim // self.heads

    @property
    def grid_tokens(self) -> int:
        """Tokens along each side of the image."""
        return self.image_px // self.patch_px

    @property
    def tokens(self) -> int:
        """Tokens of the whole image."""
        return self.grid_tokens**2

    @property
    def padded_window_tokens(self) -> int:
        """Tokens that a window attends over, padding included."""
        return self.window_tokens**2

    @property
    def windowed_blocks(self) -> tuple[int, ...]:
        """Indices of the blocks that attend inside windows, ascending."""
        return tuple(block for block in range(self.depth) if block not in self.global_blocks)


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("vit-b", 768, 12, 12, (2, 5, 8, 11)),
        Variant("vit-l", 1024, 24, 16, (5, 11, 17, 23)),
        Variant("vit-h", 1280, 32, 16, (7, 15, 23, 31)),
        # Ours, not the paper's: small enough to be trained on a processor. The second has its
        # windowed blocks first, so that nothing that mixes shards ever goes back to a cloud.
        Variant("small", 192, 8, 3, (1, 3, 5, 7), window_tokens=4, image_px=256),
        Variant("small-window-first", 192, 8, 3, (4, 5, 6, 7), window_tokens=4, image_px=256),
    )
}

TILE_ENCODER = Variant(
    "vit-tiny", 192, 12, 3, tuple(range(12)), window_tokens=64, relative_position=False
)
"""A whole small encoder for single tiles: the ViT-Ti/16 of EfficientSAM-Ti (Xiong et al., 2023,
arXiv 2312.00863), which makes SAM's own 256 channels per patch with plain attention only."""
