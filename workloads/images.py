"""Images as files: their size on disk and on the wire."""

from dataclasses import dataclass

from workloads.errors import WorkloadError

BYTES_PER_PIXEL = 3
"""8-bit red, green and blue."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """An image file format: ``ratio`` of the file's bytes to the raw pixels' bytes.

    Real ratios depend on the picture; ``source`` says where the one number used here is from.
    """

    name: str
    ratio: float
    source: str


ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding("raw", 1.0, "exact: three bytes per pixel"),
        Encoding("png", 0.55, "assumption: 13 bits per pixel for photographs, without loss"),
        Encoding("jpeg", 0.1, "assumption: 2.4 bits per pixel, about quality 90"),
    )
}


def encoding_named(name: str, *, field: str = "encoding") -> Encoding:
    """Return the encoding of that name, or raise `WorkloadError` with the names there are."""
    try:
        return ENCODINGS[name]
    except KeyError:
        raise WorkloadError(
            f"{field}: {name!r} is unknown; choose one of {', '.join(ENCODINGS)}"
        ) from None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as the origin captures it; ``encoding`` is a key of `ENCODINGS`."""

    width_px: int = 1920
    height_px: int = 1080
    encoding: str = "jpeg"

    def __post_init__(self) -> None:
        for field in ("width_px", "height_px"):
            value = getattr(self, field)
            if value < 1:
                raise WorkloadError(f"image.{field}: {value!r}; give at least 1 pixel")
        encoding_named(self.encoding, field="image.encoding")

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width_px * self.height_px

    @property
    def file_bytes(self) -> float:
        """Size of the captured file.

        >>> Image(1024, 1024, "raw").file_bytes
        3145728.0
        """
        return self.pixels * BYTES_PER_PIXEL * encoding_named(self.encoding).ratio
