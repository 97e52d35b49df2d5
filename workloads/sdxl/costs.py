"""Work of Stable Diffusion XL's parts, in closed form, for a latent of any size.

Derived from ``UNet2DConditionModel``, ``AutoencoderKL`` (decoder) and ``CLIPTextModel`` of
`diffusers` and `transformers`. Counted as in `workloads.work`: products, convolutions and
attention; norms, activations, interpolation and the sines of the step's embedding are left out.
A convolution's work is per output pixel: k²·in·out.
"""

from functools import lru_cache

from workloads.sdxl.variants import Decoder, TextEncoder, Unet
from workloads.work import Work, attention, copy, linear, norm

SIZES = 6
"""Numbers that tell the denoiser the picture's original size, its crop and the size wanted."""


def conv(pixels: int, inputs: int, outputs: int, side: int = 3, *, shrink: int = 1) -> Work:
    """Return the work of a convolution with ``pixels`` outputs; ``shrink``² as many are read."""
    return Work(
        macs=pixels * side * side * inputs * outputs,
        moved=pixels * (shrink * shrink * inputs + outputs),
        parameters=side * side * inputs * outputs + outputs,
        launches=1,
    )


def resnet(pixels: int, inputs: int, outputs: int, time: int = 0) -> Work:
    """Return the work of a residual block; with ``time`` elements of a step's embedding."""
    body = norm(inputs) + conv(pixels, inputs, outputs) + norm(outputs)
    body += conv(pixels, outputs, outputs)
    if time:
        body += linear(1, time, outputs)
    return body + conv(pixels, inputs, outputs, 1) if inputs != outputs else body


def transformer(pixels: int, dim: int, depth: int, context: int, tokens: int) -> Work:
    """Return the work of ``depth`` blocks over all pixels, each looking at the prompt as well."""
    out = linear(pixels, dim, dim)
    own = linear(pixels, dim, dim, bias=False).times(3) + attention(pixels, pixels, dim) + out
    prompt = (
        linear(pixels, dim, dim, bias=False)
        + linear(tokens, context, dim, bias=False).times(2)
        + attention(pixels, tokens, dim)
        + out
    )
    feed = linear(pixels, dim, 8 * dim) + linear(pixels, 4 * dim, dim)
    block = norm(dim).times(3) + own + prompt + feed
    return norm(dim) + linear(pixels, dim, dim).times(2) + block.times(depth)


@lru_cache(maxsize=256)
def unet(model: Unet, height: int, width: int, tokens: int) -> Work:
    """Return the work of one prediction of noise for one latent of ``height`` x ``width``."""
    widths, top = model.channels, model.channels[0]
    levels = [height * width // 4**level for level in range(len(widths))]
    work = conv(levels[0], model.latent_channels, top)
    work += linear(1, top, model.time) + linear(1, model.time, model.time)
    work += linear(1, model.added, model.time) + linear(1, model.time, model.time)
    skips = [top]
    current = top
    for level, (pixels, width_) in enumerate(zip(levels, widths, strict=True)):
        for _ in range(model.resnets):
            work += _unet_layer(model, level, pixels, current, tokens)
            current = width_
            skips.append(current)
        if level < len(widths) - 1:
            work += conv(pixels // 4, current, current, shrink=2)
            skips.append(current)
    work += resnet(levels[-1], current, current, model.time).times(2)
    work += transformer(levels[-1], current, model.transformers[-1], model.context, tokens)
    for level in reversed(range(len(widths))):
        for _ in range(model.resnets + 1):
            work += _unet_layer(model, level, levels[level], current + skips.pop(), tokens)
            current = widths[level]
        if level:
            work += conv(levels[level - 1], current, current)
    return work + norm(top) + conv(levels[0], top, model.latent_channels)


def _unet_layer(model: Unet, level: int, pixels: int, inputs: int, tokens: int) -> Work:
    width, depth = model.channels[level], model.transformers[level]
    work = resnet(pixels, inputs, width, model.time)
    return work + transformer(pixels, width, depth, model.context, tokens) if depth else work


@lru_cache(maxsize=256)
def decode(model: Decoder, height: int, width: int) -> Work:
    """Return the work of turning a latent into a picture of 8 times its sides."""
    pixels, current = height * width, model.channels[0]
    work = conv(pixels, model.latent_channels, model.latent_channels, 1)
    work += conv(pixels, model.latent_channels, current)
    work += resnet(pixels, current, current).times(2)
    work += norm(current) + linear(pixels, current, current).times(4)
    work += attention(pixels, pixels, current)
    for level, width_ in enumerate(model.channels):
        for _ in range(model.resnets):
            work += resnet(pixels, current, width_)
            current = width_
        if level < len(model.channels) - 1:
            pixels *= 4
            work += conv(pixels, current, current)
    return work + norm(current) + conv(pixels, current, 3)


@lru_cache(maxsize=64)
def encode(model: TextEncoder) -> Work:
    """Return the work of embedding one prompt; the tables are there, their rows are read."""
    count, dim = model.tokens, model.dim
    layer = (
        norm(dim).times(2)
        + linear(count, dim, dim).times(4)
        + attention(count, count, dim)
        + linear(count, dim, model.intermediate)
        + linear(count, model.intermediate, dim)
    )
    work = copy(count * dim).times(2) + layer.times(model.layers) + norm(dim)
    return work + linear(1, dim, model.projection, bias=False) if model.projection else work


def table_parameters(model: TextEncoder) -> int:
    """Return the parameters of the tables of tokens and positions."""
    return (model.vocabulary + model.tokens) * model.dim
