"""The pixels that a cloud is shown: as they came, or as can be made of what came at once.

Embeddings are turned back in closed form; squares without their means are joined at their borders.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from torch import Tensor

from experiments.laboratory.attacks.jigsaw import Place
from experiments.laboratory.attacks.joining import joined
from experiments.laboratory.attacks.patches import Inversion
from experiments.laboratory.attacks.pictures import SIDE_PX
from real_runner.inline import Sent
from real_runner.shards.pixels import DEVIATION, MEAN, parted, prepared, tile_colours
from workloads.images import Image
from workloads.sam.geometry import Window, windows
from workloads.sam.model import Sam
from workloads.scenes import Picture

Square = tuple[Picture, npt.NDArray[np.bool_]]
"""Colours (side, side, 3), and which of them are shown."""


class Showing:
    """Puts in its place what a cloud received of a picture; it knows the weights, as all do."""

    def __init__(self, sam: Sam, weights: Mapping[str, Tensor]) -> None:
        embedding = "image_encoder.patch_embed.proj"
        self._sam = sam
        weight = weights[f"{embedding}.weight"].float().numpy().reshape(sam.variant.dim, -1)
        self._inversion = Inversion(weight, weights[f"{embedding}.bias"].float().numpy())
        self._positions = weights["image_encoder.pos_embed"].float().numpy()[0]

    def places(self) -> tuple[Place, ...]:
        """Return where all windows that lie wholly in the picture are, at the working size."""
        per, known = self._sam.variant.image_px // SIDE_PX, windows(self._sam.variant)
        return tuple(
            (
                slice(each.top_px // per, (each.top_px + each.height_px) // per),
                slice(each.left_px // per, (each.left_px + each.width_px) // per),
            )
            for each in known
            if each.tokens == each.padded_tokens
        )

    def square(self, received: Iterable[Sent], withheld: int = 0) -> Square:
        """Return what is shown by a whole picture, by pixels, and by embeddings (A1).

        Where the means of so many patches a side are ``withheld``, what is shown of a window are
        its colours but for a constant, and for its trend where that is withheld, too.
        """
        side = self._sam.variant.image_px
        colours, seen = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), bool)
        for each in received:
            payload = each.transfer.payload
            if payload.tensor == "image":
                return self._prepared(each)
            if payload.tensor == "pixels":
                tiles = self._tiles(each, withheld)
            elif payload.tensor == "tokens" and payload.blocks_done == 0:
                tiles = self._inverted(each)
            else:
                continue
            for window, tile in tiles:
                rows = slice(window.top_px, window.top_px + window.height_px)
                columns = slice(window.left_px, window.left_px + window.width_px)
                colours[rows, columns], seen[rows, columns] = tile, True
        return colours, seen

    def colours(self, sent: Sent) -> npt.NDArray[np.uint8]:
        """Return the colours of the pixels sent, one after the other, however they were encoded."""
        return np.concatenate([tile.reshape(-1) for _, tile in self._coloured(sent)])

    def _prepared(self, sent: Sent) -> Square:
        """Return the captured picture, raw, on the model's square: nothing of it is hidden."""
        side = round((len(sent.array) / 3) ** 0.5)
        square = prepared(sent.array, Image(side, side, "raw"), self._sam.variant.image_px)
        return square, np.ones(square.shape[:2], bool)

    def _tiles(self, sent: Sent, withheld: int) -> list[tuple[Window, Picture]]:
        tiles = self._coloured(sent)
        if not withheld:
            return tiles
        side_px = withheld * self._sam.variant.patch_px
        return [(window, joined(tile, side_px)) for window, tile in tiles]

    def _coloured(self, sent: Sent) -> list[tuple[Window, Picture]]:
        sam, known = self._sam, windows(self._sam.variant)
        found = parted(sam, sent.array, sent.transfer.payload.shard)
        return [
            (known[index], tile_colours(tile, sam.pixel_encoding, known[index]))
            for index, tile in found.items()
        ]

    def _inverted(self, sent: Sent) -> list[tuple[Window, Picture]]:
        found, start, known = [], 0, windows(self._sam.variant)
        for index in sent.transfer.payload.shard:
            window = known[index]
            tokens = sent.array[start : start + window.tokens]
            start += window.tokens
            found.append((window, self._colours(tokens, window)))
        return found

    def _colours(self, tokens: npt.NDArray[np.floating], window: Window) -> Picture:
        side = self._sam.variant.patch_px
        top, left = window.row * window.side_tokens, window.column * window.side_tokens
        shape = (window.height_tokens, window.width_tokens)
        positions = self._positions[top : top + shape[0], left : left + shape[1]]
        flat = positions.reshape(window.tokens, -1)
        patches = self._inversion.patches(tokens[None], flat)[0]
        cells = patches.reshape(*shape, 3, side, side).transpose(0, 3, 1, 4, 2)
        normal = cells.reshape(shape[0] * side, shape[1] * side, 3)
        return np.asarray((normal * DEVIATION + MEAN).round().clip(0, 255), np.uint8)
