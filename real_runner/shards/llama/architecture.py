"""`transformers`' own modules of a Llama, built from `workloads.llama.variants.Architecture`."""

from functools import lru_cache
from math import isinf, pi
from typing import Any

import torch

from real_runner.shards.packages import class_named
from workloads.llama.variants import Architecture, Stretch


def config_of(architecture: Architecture) -> Any:
    """Return the ``LlamaConfig`` of an architecture."""
    return class_named("transformers", "LlamaConfig")(
        vocab_size=architecture.vocabulary,
        hidden_size=architecture.hidden,
        intermediate_size=architecture.intermediate,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.kv_heads,
        head_dim=architecture.head_dim,
        max_position_embeddings=architecture.positions,
        rms_norm_eps=architecture.norm_eps,
        rope_parameters=_rope_parameters(architecture),
        tie_word_embeddings=architecture.tied,
        attention_bias=architecture.attention_bias,
        mlp_bias=architecture.mlp_bias,
        bos_token_id=architecture.begin,
        eos_token_id=list(architecture.ends),
    )


def _rope_parameters(architecture: Architecture) -> dict[str, Any]:
    base, stretch = {"rope_theta": architecture.rope_theta}, architecture.stretch
    if stretch is None:
        return {**base, "rope_type": "default"}
    if isinf(stretch.low):
        return {**base, "rope_type": "linear", "factor": stretch.factor}
    return {
        **base,
        "rope_type": "llama3",
        "factor": stretch.factor,
        "low_freq_factor": stretch.low,
        "high_freq_factor": stretch.high,
        "original_max_position_embeddings": stretch.trained_positions,
    }


def empty_model(architecture: Architecture) -> Any:
    """Return a ``LlamaForCausalLM`` on the meta device, without numbers."""
    with torch.device("meta"):
        return class_named("transformers", "LlamaForCausalLM")(config_of(architecture)).eval()


@lru_cache(maxsize=16)
def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter, named as in published checkpoints."""
    state = empty_model(architecture).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if architecture.tied:
        found.pop("lm_head.weight", None)
    return found


def rotary(
    architecture: Architecture, positions: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of the rotary embedding, each (positions, head_dim), in fp32.

    Channel pair i of a head turns by position / theta^(2i / head_dim) (Su et al. 2021, arXiv
    2104.09864, equation 15); the second half of the channels holds the partners of the first, as in
    ``LlamaRotaryEmbedding``, which is not used so that workers need not import `transformers`.
    """
    dim = architecture.head_dim
    exponents = torch.arange(0, dim, 2, dtype=torch.float32) / dim
    frequencies = 1.0 / architecture.rope_theta**exponents
    if architecture.stretch is not None:
        frequencies = _stretched(frequencies, architecture.stretch)
    angles = torch.outer(torch.arange(positions, dtype=torch.float32), frequencies)
    every = torch.cat((angles, angles), dim=-1)
    return every.cos().to(device), every.sin().to(device)


def _stretched(frequencies: torch.Tensor, stretch: Stretch) -> torch.Tensor:
    """Return radians per position where some wavelengths are longer; see `Stretch`."""
    longer = frequencies / stretch.factor
    if isinf(stretch.low):
        return longer
    fitting = stretch.trained_positions * frequencies / (2 * pi)
    kept = ((fitting - stretch.low) / (stretch.high - stretch.low)).clamp(0, 1)
    return kept * frequencies + (1 - kept) * longer
