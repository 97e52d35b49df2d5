"""Drawn scenes: pictures with exact masks, to train and to attack models where no photos are.

A scene is a textured background and up to six shapes that hide each other in part; some are plates
with a secret written on them. All of it follows from a seed, a split and a number, so a split is
no set of files: it is as large as anybody wants, and shares nothing with another.

How much one part of a picture tells of the others is a parameter, ``prior``: at 0 nothing but the
texture goes on, at 1 one smooth gradient lies over all of it, which favours attackers.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from workloads.errors import WorkloadError
from workloads.shapes import Mask, Points, blob, ellipse, filled, lettered, plate, polygon
from workloads.textures import Colours, blend, colour, fractal, ramp

Split = Literal["train", "validate", "attack-train", "attack-validate", "calibrate", "test"]
"""Victims are trained on the first and judged on the second; attackers have two of their own."""
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

Kind = Literal["ellipse", "polygon", "blob", "secret"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOODS: Final = 8
"""Classes of the colours that lie over a whole scene."""
HUES: Final = 6
"""Classes of the colour of one object."""

_OUTLINES: Final[dict[Kind, Callable[[np.random.Generator, float], Points]]] = {
    "ellipse": ellipse,
    "polygon": polygon,
    "blob": blob,
    "secret": plate,
}
_LETTERS: Final = string.ascii_uppercase + string.digits
_SECRET_LETTERS: Final = 4
_REACHES: Final = (0.08, 0.26)
"""From the middle of an object to its farthest point, as a part of the picture's side."""
_TRIES: Final = 8
_GRAIN: Final = 0.012
"""Standard deviation of what a sensor adds to each pixel."""
_CONTRAST: Final = 0.22
"""By how much the strongest of three colours differs at least from what is behind."""

Picture = npt.NDArray[np.uint8]
"""Red, green and blue, (side, side, 3)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What scenes have in common.

    Pictures have ``side_px``² pixels and 1 to ``most_objects`` objects, of each of which at least
    ``least_visible`` of the picture can be seen; ``prior`` is said above, from 0 to 1. Raises
    `WorkloadError` for what is none.
    """

    side_px: int = 256
    prior: float = 0.5
    most_objects: int = 6
    least_visible: float = 0.004

    def __post_init__(self) -> None:
        for name, least, most in (
            ("side_px", 16, 4096),
            ("prior", 0, 1),
            ("most_objects", 1, 100),
            ("least_visible", 0, 0.01),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise WorkloadError(f"scenes.{name}: {value!r}; give {least} to {most}")


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: what kind of, which class of hues it has, and what is written on it, if it can."""

    kind: Kind
    hue: int
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is known of it.

    ``owners`` says of each pixel, (side, side), which of ``things`` it belongs to, or -1. ``mood``
    is the class of the colours over all of it.
    """

    picture: Picture
    owners: npt.NDArray[np.int8]
    things: tuple[Thing, ...]
    mood: int

    def mask(self, number: int) -> Mask:
        """Return which pixels of an object can be seen."""
        seen: Mask = self.owners == number
        return seen

    def largest(self) -> Thing:
        """Return the object of which most can be seen."""
        return self.things[int(np.bincount(self.owners[self.owners >= 0]).argmax())]

    def secrets(self) -> tuple[str, ...]:
        """Return all that is written in it."""
        return tuple(thing.text for thing in self.things if thing.text)


def scene(look: Look, seed: int, split: Split, index: int) -> Scene:
    """Return the scene with this number of a split; `WorkloadError` for a split that is none."""
    if split not in SPLITS:
        raise WorkloadError(f"split: {split!r} is unknown; choose one of {', '.join(SPLITS)}")
    sequence = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index))
    return _Painting(look, np.random.default_rng(sequence)).finished()


class _Painting:
    """A scene in the making; colours are from 0 to 1 until it is finished."""

    def __init__(self, look: Look, generator: np.random.Generator) -> None:
        side = look.side_px
        self._look = look
        self._generator = generator
        self._mood = int(generator.integers(MOODS))
        self._owners = np.full((side, side), -1, np.int8)
        self._things: list[Thing] = []
        self._over = self._overall()
        self._colours = self._shaded(self._ground(), 0.12)

    def finished(self) -> Scene:
        """Put in objects, lay the overall colours over them, and return the scene."""
        for _ in range(int(self._generator.integers(1, self._look.most_objects + 1))):
            self._put_in()
        while not self._things:
            self._put_in()
        prior = np.full(self._owners.shape, self._look.prior, np.float32)
        prior[self._owners >= 0] *= 0.5  # of an object more is its own
        noise = self._generator.standard_normal((*self._owners.shape, 1), dtype=np.float32)
        mixed = blend(self._colours, self._over, prior) + np.float32(_GRAIN) * noise
        picture = (np.clip(mixed, 0, 1) * 255).round().astype(np.uint8)
        return Scene(picture, self._owners, tuple(self._things), self._mood)

    def _ground(self) -> Colours:
        """Return patches of two colours that run into each other."""
        generator, side = self._generator, self._look.side_px
        one, other = (
            colour(generator.random(), generator.uniform(0.1, 0.7), generator.uniform(0.2, 0.9))
            for _ in range(2)
        )
        patches = 0.5 + 0.5 * np.tanh(2 * fractal(generator, side, _PATCHES))
        return blend(one, other, patches.astype(np.float32))

    def _overall(self) -> Colours:
        """Return the colours over all of it: a gradient between two of the mood's."""
        generator, side = self._generator, self._look.side_px
        hue = (self._mood + generator.uniform(-0.3, 0.3)) / MOODS
        bright = colour(hue, generator.uniform(0.2, 0.6), generator.uniform(0.75, 1.0))
        dark = colour(hue + 0.12, generator.uniform(0.3, 0.8), generator.uniform(0.05, 0.35))
        return blend(dark, bright, ramp(side, generator.uniform(0, 2 * np.pi)))

    def _shaded(self, colours: Colours, roughness: float) -> Colours:
        """Return colours with a texture of their own on them."""
        slope = _SLOPES[int(self._generator.integers(len(_SLOPES)))]
        texture = fractal(self._generator, len(colours), slope)
        return np.asarray(colours * (1 + roughness * texture[..., None]), np.float32)

    def _put_in(self) -> None:
        """Put in one more object before the others, unless it would hide one of them."""
        generator, look = self._generator, self._look
        least = max(1.0, look.least_visible * look.side_px**2)
        kind = KINDS[int(generator.choice(len(KINDS), p=_SHARES))]
        for _ in range(_TRIES):
            reach = generator.uniform(*_REACHES) * look.side_px
            middle = generator.uniform(0.05, 0.95, 2) * look.side_px
            outline = _OUTLINES[kind](generator, reach) + middle
            mask = filled(outline, look.side_px)
            hidden = self._owners[mask]
            left = np.bincount(self._owners[~mask] + 1, minlength=len(self._things) + 1)[1:]
            if hidden.size >= least and (left >= least).all():
                self._paint(kind, outline, mask)
                return

    def _paint(self, kind: Kind, outline: Points, mask: Mask) -> None:
        generator = self._generator
        behind = self._colours[mask].mean(axis=0)
        for _ in range(_TRIES):
            hue = int(generator.integers(HUES))
            own = colour(
                (hue + generator.uniform(-0.3, 0.3)) / HUES,
                generator.uniform(0.35, 0.95),
                generator.uniform(0.3, 1.0),
            )
            if float(np.abs(own - behind).max()) >= _CONTRAST:
                break
        text = ""
        part, within = _part(mask)
        side = _COARSE_PX * -(-max(within.shape) // _COARSE_PX)
        shade = own * (0.85 + 0.3 * ramp(side, generator.uniform(0, 2 * np.pi)))[..., None]
        surface = self._shaded(shade, generator.uniform(0.02, 0.15))
        rows, columns = within.shape
        self._colours[part][within] = surface[:rows, :columns][within]
        if kind == "secret":
            text = "".join(generator.choice(list(_LETTERS), _SECRET_LETTERS))
            ink = np.float32(0.05 if own.mean() > 0.45 else 0.95)
            written = lettered(text, outline, self._look.side_px) & mask
            self._colours[written] = ink
        self._owners[mask] = len(self._things)
        self._things.append(Thing(kind, hue, text))


_PATCHES: Final = 2.5
"""Slope of the noise that says where the ground has which colour."""
_COARSE_PX: Final = 16
"""Sides of textures are multiples of it, so that there are few of them to make ready."""
_SLOPES: Final = (1.0, 1.5, 2.0, 2.5)
"""From fine grain to clouds."""
_SHARES: Final = (0.25, 0.3, 0.3, 0.15)
"""How often each of the kinds is drawn."""


def _part(mask: Mask) -> tuple[tuple[slice, slice], Mask]:
    """Return where the box around a mask lies, and the mask within it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return part, mask[part]


def point_in(mask: Mask, generator: np.random.Generator | None = None) -> tuple[float, float]:
    """Return x, y of a pixel of a mask: any, or without ``generator`` the one farthest inside."""
    if generator is None:
        from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - slow to import

        inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(inside.argmax()), mask.shape)
    else:
        rows, columns = np.nonzero(mask)
        chosen = int(generator.integers(len(rows)))
        row, column = rows[chosen], columns[chosen]
    return float(column), float(row)


def box_around(
    mask: Mask, generator: np.random.Generator | None = None
) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a mask; with ``generator`` not to the pixel.

    Each side is then off by noise with a standard deviation of a tenth of the box's length there,
    at most a fiftieth of the picture's (20 of 1024 pixels), as SAM was trained (Kirillov et al.
    2023, arXiv 2304.02643, appendix A).
    """
    rows, columns = np.nonzero(mask)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)
    if generator is not None:
        lengths = np.tile(box[2:] - box[:2], 2)
        most = mask.shape[0] / 51.2
        box += np.clip(generator.normal(0, 0.1, 4) * lengths, -most, most)
        box = np.clip(box, 0, mask.shape[0])
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
