"""Names of the workloads that scenarios and the command line know."""

from difflib import get_close_matches

from workloads.arrivals import Arrivals
from workloads.codec import codec_named
from workloads.errors import WorkloadError
from workloads.images import Image
from workloads.sam.costs import encoder
from workloads.sam.model import Sam
from workloads.sam.variants import VARIANTS
from workloads.workload import Workload

WORKLOADS = {f"sam-{variant.name}": variant for variant in VARIANTS.values()}
"""Every name, with what `model_named` builds it from."""


def model_named(
    name: str,
    *,
    image: Image | None = None,
    prompts: int = 1,
    precision: str = "fp16",
    pixel_encoding: str = "raw",
) -> Sam:
    """Return the model of that name, or raise `WorkloadError` with the nearest name."""
    if name not in WORKLOADS:
        near = get_close_matches(name, WORKLOADS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(WORKLOADS)}"
        raise WorkloadError(f"workload: {name!r} is unknown; {hint}")
    return Sam(WORKLOADS[name], image or Image(), prompts, precision, pixel_encoding)


def workload_named(
    name: str,
    arrivals: Arrivals,
    requests: int,
    *,
    image: Image | None = None,
    prompts: int = 1,
    precision: str = "fp16",
    pixel_encoding: str = "raw",
) -> Workload:
    """Return a workload of the model of that name; see `model_named` and `Workload`."""
    model = model_named(
        name, image=image, prompts=prompts, precision=precision, pixel_encoding=pixel_encoding
    )
    return Workload(model, arrivals, requests)


def describe(name: str) -> str:
    """Return one line on the model of that name: its work and its sizes (tokens at fp16).

    >>> describe("sam-vit-b")
    '972 + 3.6 GFLOP, 89.7 M weights in the encoder, 1024² px, 25 windows, 6.29 MB of tokens'
    """
    sam = model_named(name)
    work = encoder(sam.variant)
    tokens_bytes = sam.patch_tokens(sam.whole).encoded_bytes(codec_named("fp16"))
    return (
        f"{_rounded(2 * work.macs / 1e9)} + {sam.decode().flops / 1e9:.2g} GFLOP, "
        f"{work.parameters / 1e6:.3g} M weights in the encoder, {sam.variant.image_px}² px, "
        f"{len(sam.whole)} windows, {tokens_bytes / 1e6:.3g} MB of tokens"
    )


def _rounded(value: float) -> str:
    """Return three digits, or all before the decimal point where there are more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
