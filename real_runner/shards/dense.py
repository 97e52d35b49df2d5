"""Products of a matrix of tokens with a layer's weights, by the fastest exact way there is.

In single precision on a processor with AVX-512, oneDNN's kernels are asked directly: torch leaves
such a product to MKL, which on AMD processors does not use those instructions and takes about twice
as long. They also apply what follows the product while its result is in the cache. With AVX2 alone
MKL is the faster one, by a sixth (both: `real_runner.bench.encoder`). Both compute in full single
precision; the sums run in another order.
"""

import torch
from torch import Tensor
from torch.nn import functional

_HAS_WIDE_KERNELS = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
)


def product(tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``tokens · weightᵀ + bias``: (n, inputs), (outputs, inputs), (outputs,)."""
    if _direct(tokens):
        result: Tensor = torch.ops.mkldnn._linear_pointwise(tokens, weight, bias, "none", [], "")  # noqa: SLF001
        return result
    return functional.linear(tokens, weight, bias)


def product_gelu(tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``gelu(tokens · weightᵀ + bias)``, not approximated."""
    if _direct(tokens):
        result: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            tokens, weight, bias, "gelu", [], "none"
        )
        return result
    return functional.gelu(functional.linear(tokens, weight, bias))


def product_plus(tokens: Tensor, weight: Tensor, bias: Tensor, addend: Tensor) -> Tensor:
    """Return ``addend + tokens · weightᵀ + bias``."""
    if _direct(tokens):
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001
            tokens, addend, weight, bias, "add"
        )
        return result
    return addend + functional.linear(tokens, weight, bias)


def _direct(tokens: Tensor) -> bool:
    return (
        tokens.dtype == torch.float32
        and tokens.device.type == "cpu"
        and tokens.dim() == 2
        and len(tokens) > 0
        and _HAS_WIDE_KERNELS
    )
