"""How tensors are written for the wire: bits per element, and what quantisation adds per token."""

from dataclasses import dataclass

from workloads.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Codec:
    """A number format for travelling tensors.

    ``bits`` per element; ``token_bytes`` is what is added per token: of an integer format one scale
    and one offset, of fp8 (E4M3) one scale, two bytes each (fp16).
    """

    name: str
    bits: int
    token_bytes: int = 0

    def encoded_bytes(self, elements: int, tokens: int) -> float:
        """Return the size of ``elements`` numbers that belong to ``tokens`` tokens.

        >>> CODECS["int8"].encoded_bytes(768, tokens=1)
        772.0
        """
        return elements * self.bits / 8 + tokens * self.token_bytes


CODECS = {
    codec.name: codec
    for codec in (
        Codec("fp32", 32),
        Codec("fp16", 16),
        Codec("fp8", 8, token_bytes=2),
        Codec("int8", 8, token_bytes=4),
        Codec("int4", 4, token_bytes=4),
        Codec("fp64", 64),  # for comparisons of results; nobody would pay for it
    )
}


def codec_named(name: str) -> Codec:
    """Return the codec of that name, or raise `WorkloadError` with the names there are."""
    try:
        return CODECS[name]
    except KeyError:
        raise WorkloadError(
            f"codec: {name!r} is unknown; choose one of {', '.join(CODECS)}"
        ) from None
