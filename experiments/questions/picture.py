"""The pictures that questions are answered with: whole files, in colours all can tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.extras import needs
from experiments.keeping import whole
from real_runner.errors import RealRunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C",
    "#6A3D9A", "#A0522D",
)  # fmt: skip
"""Of Okabe and Ito ("Color Universal Design", 2008), those seen on white, and three more."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def look(number: int) -> dict[str, Any]:
    """Return the colour and the marker of the line of that number, for `Axes.plot`."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def require_drawable(path: Path) -> Path:
    """Return the path of a picture to be; `RealRunError` where there can be none."""
    with needs("plot"):
        from matplotlib.backend_bases import FigureCanvasBase  # noqa: PLC0415 - an extra

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.removeprefix(".") not in known:
        raise RealRunError(f"FIGURE {path}: end its name in one of .{', .'.join(known)}")
    if path.is_dir() or not path.parent.is_dir():
        raise RealRunError(f"FIGURE {path}: name a file in a folder that is there")
    return path


@contextmanager
def drawn(path: Path, width_in: float, height_in: float) -> Iterator["Figure"]:
    """Lend a figure to draw on, 100 pixels an inch; it is written to ``path`` in the end, whole."""
    with needs("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    yield figure
    with whole(path) as part:
        figure.savefig(part, dpi=100, format=path.suffix.removeprefix("."))
