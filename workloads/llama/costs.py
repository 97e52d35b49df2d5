"""Work of the parts of a Llama, in closed form, for any positions with any before them cached.

Derived from ``transformers/models/llama/modeling_llama.py``. h = ``hidden``, i = ``inner`` (all
heads), g = ``kv_inner``, m = ``intermediate``; n new positions after p whose keys and values are
kept. Multiply-accumulates of one layer:

- queries, keys, values and output: n·h·(2·i + 2·g)
- attention: 2·n·(p + n)·i; the causal half is not left out, since neither the reference nor a
  plain kernel does
- gate, up and down: 3·n·h·m

Counted as in `workloads.work`: keys and values are written where they are made, and all p + n
of them are read; scores stay on the chip. The rotary embedding is a kernel of its own whose
arithmetic is left out, as is that of norms.
"""

from functools import lru_cache

from workloads.llama.variants import Architecture
from workloads.work import Work, copy, linear


@lru_cache(maxsize=1 << 14)
def layer(model: Architecture, new: int, past: int) -> Work:
    """Return the work of one layer on ``new`` positions after ``past`` cached ones."""
    hidden, bias = model.hidden, model.attention_bias
    attention = (
        linear(new, hidden, model.inner, bias=bias)
        + linear(new, hidden, model.kv_inner, bias=bias).times(2)
        + _attend(model, new, past)
        + linear(new, model.inner, hidden, bias=bias)
    )
    wide = linear(new, hidden, model.intermediate, bias=model.mlp_bias)
    narrow = linear(new, model.intermediate, hidden, bias=model.mlp_bias)
    return _norm(model).times(2) + attention + wide.times(2) + narrow


def embedding(model: Architecture, new: int) -> Work:
    """Return the work of looking up ``new`` tokens: only their rows are read."""
    return copy(new * model.hidden)


def table_parameters(model: Architecture) -> int:
    """Return the parameters of the embedding table, which must be there to be looked up in."""
    return model.vocabulary * model.hidden


def logits(model: Architecture, positions: int) -> Work:
    """Return the work of final norm, output projection and the choice of a token from each."""
    choice = Work(moved=positions * model.vocabulary, launches=1)
    projection = linear(positions, model.hidden, model.vocabulary, bias=False)
    return _norm(model) + projection + choice


def parameters(model: Architecture) -> int:
    """Return all parameters.

    >>> from workloads.llama.variants import VARIANTS
    >>> parameters(VARIANTS["llama2-7b"])
    6738415616
    """
    head = logits(model, 1).parameters - (table_parameters(model) if model.tied else 0)
    return table_parameters(model) + layer(model, 1, 0).parameters * model.layers + head


def kv_elements(model: Architecture, layers: int) -> int:
    """Return the cached keys and values of one position in so many layers."""
    return 2 * model.kv_inner * layers


def _attend(model: Architecture, new: int, past: int) -> Work:
    keys = past + new
    rotation = Work(launches=1)
    return rotation + Work(
        macs=2 * new * keys * model.inner,
        moved=2 * new * model.inner + 2 * keys * model.kv_inner,
        launches=1,
    )


def _norm(model: Architecture) -> Work:
    """Return the work of a root-mean-square norm: one parameter per channel."""
    return Work(parameters=model.hidden, launches=1)
