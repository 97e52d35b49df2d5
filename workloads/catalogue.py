"""Names of the workloads that scenarios and the command line know."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from workloads.arrivals import Arrivals
from workloads.codec import codec_named
from workloads.errors import WorkloadError
from workloads.images import Image
from workloads.lengths import Lengths
from workloads.llama import costs as llama_costs
from workloads.llama.acceptance import NEVER, Acceptance
from workloads.llama.model import Llama
from workloads.llama.sampling import GREEDY, Sampling
from workloads.llama.variants import VARIANTS as LLAMAS
from workloads.llama.variants import Architecture, read_architecture
from workloads.sam.costs import encoder
from workloads.sam.model import Sam
from workloads.sam.variants import VARIANTS as SAMS
from workloads.sam.variants import Variant
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import VARIANTS as PAINTERS
from workloads.sdxl.variants import Variant as Painter
from workloads.stage import Model
from workloads.workload import Workload

SAM_WORKLOADS = {f"sam-{variant.name}": variant for variant in SAMS.values()}

WORKLOADS: dict[str, Variant | Architecture | Painter] = {**SAM_WORKLOADS, **LLAMAS, **PAINTERS}
"""Every name, with what its model is built from."""


@dataclass(frozen=True, slots=True)
class Text:
    """What is asked of a model that answers a prompt: tokens in and out, fixed or drawn.

    ``drafter`` is a name or a path of a Llama as ``workload.model`` is; see `Llama`.
    """

    prompt_tokens: int | Lengths = 16
    output_tokens: int | Lengths = 300
    sampling: Sampling = GREEDY
    drafter: str = ""
    acceptance: Acceptance = NEVER


@dataclass(frozen=True, slots=True)
class Painting:
    """What is asked of a model that paints: steps, size, and how far a prompt guides it.

    ``scheduler`` is one of `workloads.sdxl.model.SCHEDULERS`.
    """

    steps: int = 30
    width_px: int = 1024
    height_px: int = 1024
    guidance: bool = True
    scheduler: str = "euler"
    guidance_scale: float = 5.0


def model_named(
    name: str,
    *,
    image: Image | None = None,
    prompts: int = 1,
    precision: str = "fp16",
    pixel_encoding: str = "raw",
) -> Sam:
    """Return the SAM of that name, or raise `WorkloadError` with the nearest name."""
    if name not in SAM_WORKLOADS:
        _require_known(name)
        raise WorkloadError(
            f"workload: {name!r} is no SAM; choose one of {', '.join(SAM_WORKLOADS)}"
        )
    return Sam(SAM_WORKLOADS[name], image or Image(), prompts, precision, pixel_encoding)


def workload_named(  # noqa: PLR0913 - what any kind of model can be asked
    name: str,
    arrivals: Arrivals,
    requests: int,
    *,
    image: Image | None = None,
    prompts: int = 1,
    precision: str = "fp16",
    pixel_encoding: str = "raw",
    text: Text | None = None,
    painting: Painting | None = None,
    folder: Path = Path(),
) -> Workload:
    """Return a workload of the model of that name; see `model_named`, `Text` and `Painting`.

    ``name`` may also be the path, relative to ``folder``, of a Llama's ``config.json``. Raises
    `WorkloadError` for an unknown name and for a choice that the model knows nothing of.
    """
    if name in PAINTERS:
        _refuse(name, text=text)
        asked = painting or Painting()
        painter = Sdxl(
            PAINTERS[name],
            asked.steps,
            asked.width_px,
            asked.height_px,
            asked.guidance,
            precision,
            asked.scheduler,
            asked.guidance_scale,
        )
        return Workload(painter, arrivals, requests)
    if name in LLAMAS or name.endswith(".json"):
        _refuse(name, painting=painting)
        return _writing(name, text or Text(), precision, arrivals, requests, folder)
    _refuse(name, text=text, painting=painting)
    sam = model_named(
        name, image=image, prompts=prompts, precision=precision, pixel_encoding=pixel_encoding
    )
    return Workload(sam, arrivals, requests)


def generates(model: Model) -> bool:
    """Whether a model makes something of a prompt: text, or a picture."""
    return isinstance(model, Llama | Sdxl)


def describe(name: str) -> str:
    """Return one line on the model of that name: its work and its sizes (tensors at fp16).

    >>> describe("sam-vit-b")
    '972 + 3.6 GFLOP, 89.7 M weights in the encoder, 1024² px, 25 windows, 6.29 MB of tokens'
    >>> describe("llama2-7b")
    '13.2 GFLOP per token, 6.74 G weights, 32 layers, 8.19 kB of hidden states per token'
    >>> describe("sdxl-base")
    '13.5 TFLOP per guided step, 2.57 G weights in the denoiser, 1024² px, 131 kB of noise per step'
    """
    variant = WORKLOADS[name]
    if isinstance(variant, Architecture):
        return _describe_llama(variant)
    if isinstance(variant, Painter):
        return _describe_sdxl(variant)
    return _describe_sam(name)


def _require_known(name: str) -> None:
    if name not in WORKLOADS:
        near = get_close_matches(name, WORKLOADS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(WORKLOADS)}"
        raise WorkloadError(f"workload: {name!r} is unknown; {hint}")


def _refuse(name: str, **choices: object) -> None:
    """Raise for choices made for another kind of model; an unknown name is told first."""
    if not name.endswith(".json"):
        _require_known(name)
    for field, value in choices.items():
        if value is not None:
            raise WorkloadError(f"workload.{field}: means nothing to {name!r}; leave it out")


def _writer(name: str, folder: Path) -> Architecture:
    return LLAMAS[name] if name in LLAMAS else read_architecture(folder / name)


def _writing(
    name: str, text: Text, precision: str, arrivals: Arrivals, requests: int, folder: Path
) -> Workload:
    """Return a workload whose own model is for the longest texts that can be asked of it."""
    asked = {"prompt_tokens": text.prompt_tokens, "output_tokens": text.output_tokens}
    longest = {
        field: value if isinstance(value, int) else value.most for field, value in asked.items()
    }
    varying = tuple((field, value) for field, value in asked.items() if not isinstance(value, int))
    model = Llama(
        _writer(name, folder),
        longest["prompt_tokens"],
        longest["output_tokens"],
        precision,
        text.sampling,
        _writer(text.drafter, folder) if text.drafter else None,
        text.acceptance,
    )
    return Workload(model, arrivals, requests, varying)


def _describe_sam(name: str) -> str:
    sam = model_named(name)
    work = encoder(sam.variant)
    tokens_bytes = sam.patch_tokens(sam.whole).encoded_bytes(codec_named("fp16"))
    return (
        f"{_rounded(2 * work.macs / 1e9)} + {sam.decode().flops / 1e9:.2g} GFLOP, "
        f"{work.parameters / 1e6:.3g} M weights in the encoder, {sam.variant.image_px}² px, "
        f"{len(sam.whole)} windows, {tokens_bytes / 1e6:.3g} MB of tokens"
    )


def _describe_llama(architecture: Architecture) -> str:
    llama = Llama(architecture)
    state_bytes = llama.hidden(1, 1).encoded_bytes(codec_named("fp16"))
    return (
        f"{_rounded(llama.whole(1, llama.prompt_tokens).flops / 1e9)} GFLOP per token, "
        f"{llama_costs.parameters(architecture) / 1e9:.3g} G weights, "
        f"{architecture.layers} layers, {state_bytes / 1e3:.3g} kB of hidden states per token"
    )


def _describe_sdxl(variant: Painter) -> str:
    sdxl = Sdxl(variant)
    step = sdxl.denoise(0)
    noise_bytes = sdxl.noise(0).encoded_bytes(codec_named("fp16"))
    return (
        f"{step.flops / 1e12:.3g} TFLOP per guided step, "
        f"{step.weight_bytes / 2e9:.3g} G weights in the denoiser, {sdxl.width_px}² px, "
        f"{noise_bytes / 1e3:.3g} kB of noise per step"
    )


def _rounded(value: float) -> str:
    """Return three digits, or all before the decimal point where there are more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
