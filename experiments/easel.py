"""Where a picture of a user's own comes to be: what is asked for it, and the files it goes to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from real_runner.errors import RealRunError
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload, Request, Stage

if TYPE_CHECKING:
    from real_runner.orchestration.prompts import Asked


class Easel:
    """Writes what comes of a painting into files: ``out``, and previews beside it."""

    def __init__(
        self, sdxl: Sdxl, out: Path, tokens: Sequence[int], seed: int, advance: Callable[[], None]
    ) -> None:
        if out.is_dir() or not out.parent.is_dir():
            raise RealRunError(f"--out {out}: name a file in a folder that is there")
        self._sdxl = sdxl
        self._out = out
        self._tokens = tuple(tokens)
        self._seed = seed
        self._advance = advance

    def asked(self, request: Request) -> "Asked":
        """Tell what is asked: prompt, prompt to avoid, and the seed of the first latent."""
        from real_runner.orchestration.prompts import Asked  # noqa: PLC0415 - an extra

        del request
        return Asked(self._tokens, self._seed)

    def answered(self, request: Request, content: bytes) -> None:
        """Write the picture."""
        del request
        save(self._out, (self._sdxl.width_px, self._sdxl.height_px), content)

    def previewed(self, request: Request, payload: Payload, content: bytes) -> None:
        """Write what the picture looks like after so many steps."""
        del request
        name = f"{self._out.stem}-{payload.blocks_done:02}{self._out.suffix}"
        save(self._out.with_name(name), self._sdxl.preview_px, content)

    def computed(self, request: Request, stage: Stage) -> None:
        """Count a step of the denoiser."""
        del request
        if stage.kind == "sdxl.denoise":
            self._advance()


def pixels(size: str) -> tuple[int, int]:
    """Return width and height.

    >>> pixels("640x480")
    (640, 480)
    """
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise RealRunError(f"--size {size}: give width and height, as in 128x128")
    return int(width), int(height)


def save(path: Path, size: tuple[int, int], content: bytes) -> None:
    """Write pixels as a PNG."""
    from PIL import Image  # noqa: PLC0415 - an extra

    try:
        Image.frombytes("RGB", size, content).save(path, "PNG")
    except OSError as error:
        raise RealRunError(f"{path}: cannot be written ({error.strerror})") from error
