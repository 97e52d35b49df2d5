"""Surfaces of drawn scenes: noise without a scale of its own, gradients, colours."""

import colorsys
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, rfft2

Plane = npt.NDArray[np.float32]
"""A value per pixel, (side, side)."""
Colours = npt.NDArray[np.float32]
"""Red, green and blue from 0 to 1, (side, side, 3) or (3,)."""


def fractal(generator: np.random.Generator, side_px: int, steepness: float) -> Plane:
    """Return noise of mean 0 and standard deviation 1 whose power falls as frequency^-steepness.

    0 is white; at 2 a surface looks like clouds (Voss 1985, "Random fractal forgeries").
    """
    white = generator.standard_normal((side_px, side_px), dtype=np.float32)
    spectrum = rfft2(white) * _falling(side_px, steepness)
    noise: Plane = irfft2(spectrum, s=(side_px, side_px))
    return noise / max(float(noise.std()), 1e-9)


@lru_cache(maxsize=64)
def _falling(side_px: int, steepness: float) -> Plane:
    rows, columns = np.fft.fftfreq(side_px)[:, None], np.fft.rfftfreq(side_px)[None, :]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # the mean is left out
    falling: Plane = (frequency ** (-steepness / 2)).astype(np.float32)
    return falling


def ramp(side_px: int, angle: float) -> Plane:
    """Return what rises from 0 to 1 across the square in the direction of an angle in radians."""
    along = np.linspace(-1, 1, side_px, dtype=np.float32)
    slope = along[None, :] * np.cos(angle) + along[:, None] * np.sin(angle)
    rising: Plane = ((slope - slope.min()) / (slope.max() - slope.min())).astype(np.float32)
    return rising


def colour(hue: float, saturation: float, value: float) -> Colours:
    """Return a colour given as each of its three parts from 0 to 1; hues go round."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32)


def blend(one: Colours, other: Colours, share: Plane) -> Colours:
    """Return ``one`` where ``share`` is 0, ``other`` where it is 1, and what lies between."""
    mixed: Colours = one + (other - one) * share[..., None]
    return mixed
