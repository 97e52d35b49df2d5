"""From the captured file to patches: the part of SAM that is about pixels.

As ``ResizeLongestSide`` and ``Sam.preprocess`` of ``segment_anything`` have it: the longest side
becomes the square's, the rest is padded at the right and the bottom, *after* colours are
normalised. The pad's place follows from the captured size, which every node knows, so a tile
travels as plain colours and its pad becomes zero wherever it is embedded.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import legvander2d
from PIL import Image as Pictures

from real_runner.errors import StepError
from workloads.images import Image
from workloads.sam.geometry import Window, windows
from workloads.sam.model import Sam
from workloads.sam.variants import Variant
from workloads.sam.withholding import Withheld
from workloads.stage import Shard

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.floating]

MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
"""Of red, green and blue; ``pixel_mean`` in ``build_sam.py``."""
DEVIATION = np.array([58.395, 57.12, 57.375], dtype=np.float32)
"""``pixel_std`` in ``build_sam.py``."""

LENGTH = np.dtype("<u4")
"""What stands before each encoded tile: its length in bytes."""


def content_px(image: Image, side_px: int) -> tuple[int, int]:
    """Return height and width of the resized picture inside its square of ``side_px``."""
    scale = side_px * 1.0 / max(image.height_px, image.width_px)
    return int(image.height_px * scale + 0.5), int(image.width_px * scale + 0.5)


def prepared(file: Bytes, image: Image, side_px: int) -> Bytes:
    """Return the captured file as a square of colours, (side, side, 3), padded with zeros.

    Raises `StepError` where the file is not the picture that ``image`` describes.
    """
    height, width = content_px(image, side_px)
    resized = _decoded(file, image).resize((width, height), Pictures.Resampling.BILINEAR)
    square = np.zeros((side_px, side_px, 3), dtype=np.uint8)
    square[:height, :width] = np.asarray(resized)
    return square


def cut(sam: Sam, square: Bytes, shard: Shard) -> dict[int, Bytes]:
    """Return the tiles of a shard's windows, each as the bytes that travel."""
    known = windows(sam.variant)
    return {index: _encoded(_part(square, known[index]), sam.pixel_encoding) for index in shard}


def without(variant: Variant, square: Bytes, withheld: Withheld) -> Bytes:
    """Return what is left of the square without what is withheld, 128 where there is nothing left.

    A window's squares and trend are its own: of one window nothing is told in another. Differences
    of more than 127 are cut off.
    """
    if not withheld:
        return square
    sent = np.empty_like(square)
    for window in windows(variant):
        part = _part(square, window)
        if withheld.trend:
            part = _level(part, withheld.trend)
        _part(sent, window)[:] = _differences(part, withheld.patches * variant.patch_px)
    return sent


def _level(colours: Bytes, degree: int) -> Bytes:
    """Return colours less the polynomial that is nearest to them, in the least squares' sense."""
    terms = _polynomials(*colours.shape[:2], degree)
    flat = colours.reshape(len(terms), -1).astype(np.float64)
    left = flat - terms @ (terms.T @ flat) + _MIDDLE
    return np.asarray(left.round().clip(0, 255), np.uint8).reshape(colours.shape)


@lru_cache(maxsize=16)
def _polynomials(rows: int, columns: int, degree: int) -> npt.NDArray[np.float64]:
    """Return orthonormal polynomials of at most this degree over a grid, (pixels, terms)."""
    down, across = (np.linspace(-1, 1, extent) for extent in (rows, columns))
    grid = legvander2d(*np.meshgrid(down, across, indexing="ij"), (degree, degree))
    low = np.add.outer(range(degree + 1), range(degree + 1)).ravel() <= degree
    return np.linalg.qr(grid.reshape(rows * columns, -1)[:, low])[0]


def _differences(colours: Bytes, side_px: int) -> Bytes:
    rows, columns = (np.arange(0, extent, side_px) for extent in colours.shape[:2])
    sums = np.add.reduceat(colours, rows, axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, columns, axis=1)
    heights, widths = (
        np.diff(starts, append=extent)
        for starts, extent in zip((rows, columns), colours.shape[:2], strict=True)
    )
    means = (sums / np.multiply.outer(heights, widths)[..., None]).round().astype(np.int16)
    everywhere = means.repeat(heights, axis=0).repeat(widths, axis=1)
    return np.asarray((colours - everywhere + _MIDDLE).clip(0, 255), np.uint8)


_MIDDLE = 128


def joined(sam: Sam, tiles: list[Bytes]) -> Bytes:
    """Return tiles as one array of bytes, each after its length unless they are raw."""
    if sam.pixel_encoding == "raw":
        return np.concatenate(tiles)
    parts = [np.frombuffer(LENGTH.type(len(tile)).tobytes() + tile.tobytes(), np.uint8)
             for tile in tiles]  # fmt: skip
    return np.concatenate(parts)


def parted(sam: Sam, data: Bytes, shard: Shard) -> dict[int, Bytes]:
    """Return the tiles of a shard that `joined` has put together.

    Raises `StepError` where the bytes do not fit the shard.
    """
    known = windows(sam.variant)
    raw = sam.pixel_encoding == "raw"
    tiles, start = {}, 0
    for index in shard:
        if raw:
            length = known[index].pixels * 3
        else:
            length = int.from_bytes(data[start : start + LENGTH.itemsize].tobytes(), "little")
            start += LENGTH.itemsize
        tiles[index] = data[start : start + length]
        start += length
    if start != len(data):
        raise StepError(f"pixels: {len(data)} bytes for windows {shard}; they take {start}")
    return tiles


def patches_of_tile(sam: Sam, tile: Bytes, window: Window, dtype: npt.DTypeLike) -> Numbers:
    """Return a window's normalised patches, (tokens, 3·patch²; colour, row, column)."""
    colours = tile_colours(tile, sam.pixel_encoding, window)
    return _patches(sam, colours, (window.top_px, window.left_px), dtype)


def patches_of_square(sam: Sam, square: Bytes, dtype: npt.DTypeLike) -> Numbers:
    """Return the whole image's normalised patches in the order of the grid."""
    return _patches(sam, square, (0, 0), dtype)


def _patches(sam: Sam, colours: Bytes, corner_px: tuple[int, int], dtype: npt.DTypeLike) -> Numbers:
    """Return patches of colours (height, width, 3) whose first pixel lies at ``corner_px``."""
    side = sam.variant.patch_px
    content = content_px(sam.image, sam.variant.image_px)
    seen = tuple(max(0, end - start) for end, start in zip(content, corner_px, strict=True))
    rows, columns = colours.shape[0] // side, colours.shape[1] // side
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1))  # else loops are three numbers long
    normal = np.zeros(planes.shape, dtype=dtype)
    part = normal[:, : seen[0], : seen[1]]
    mean, deviation = (each.astype(dtype)[:, None, None] for each in (MEAN, DEVIATION))
    np.subtract(planes[:, : seen[0], : seen[1]], mean, out=part, dtype=dtype)
    part /= deviation
    grid = normal.reshape(3, rows, side, columns, side).transpose(1, 3, 0, 2, 4)
    return grid.reshape(rows * columns, -1)


def _part(square: Bytes, window: Window) -> Bytes:
    bottom, right = window.top_px + window.height_px, window.left_px + window.width_px
    return square[window.top_px : bottom, window.left_px : right]


def _encoded(colours: Bytes, encoding: str) -> Bytes:
    if encoding == "raw":
        return colours.ravel()
    file = BytesIO()
    Pictures.fromarray(colours).save(file, encoding, quality=90)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def tile_colours(tile: Bytes, encoding: str, window: Window) -> Bytes:
    """Return the colours of a tile as it travelled, (height, width, 3)."""
    extent = (window.height_px, window.width_px)
    if encoding == "raw":
        return tile.reshape(*extent, 3)
    picture = _opened(tile, encoding, f"tile of window {window.index}")
    return np.asarray(_loaded(picture, extent, f"tile of window {window.index}"))


def _decoded(file: Bytes, image: Image) -> Pictures.Image:
    extent = (image.height_px, image.width_px)
    if image.encoding != "raw":
        return _loaded(_opened(file, image.encoding, "image"), extent, "image")
    if len(file) != image.pixels * 3:
        raise StepError(f"image: {len(file)} raw bytes; {extent} pixels take {image.pixels * 3}")
    return Pictures.fromarray(file.reshape(*extent, 3))


def _opened(file: Bytes, encoding: str, what: str) -> Pictures.Image:
    try:
        return Pictures.open(BytesIO(file.tobytes()), formats=[encoding])
    except (OSError, ValueError, Pictures.DecompressionBombError) as error:
        raise StepError(f"{what}: not a {encoding} file ({error})") from error


def _loaded(picture: Pictures.Image, extent: tuple[int, int], what: str) -> Pictures.Image:
    """Return the picture decoded; its size is checked first, so that no bomb goes off."""
    found = (picture.height, picture.width)
    if found != extent:
        raise StepError(f"{what}: is {found} pixels high and wide; the model has {extent}")
    try:
        return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise StepError(f"{what}: a damaged file ({error})") from error
