"""Closed forms against the operations, parameters and caches of transformers' own Llama.

Everything is built from configurations on the meta device. Layers are all alike, so a model of
two layers stands for one of 80: what a layer adds is told by the difference to one of one layer.
"""

from dataclasses import replace

import pytest

from workloads.codec import CODECS
from workloads.llama import costs
from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")
ODD = replace(
    VARIANTS["llama2-7b"],
    name="odd", hidden=96, intermediate=200, heads=6, kv_heads=2, head_dim=24, vocabulary=130,
    tied=True, attention_bias=True, mlp_bias=True,
)  # fmt: skip
MODELS = (*VARIANTS.values(), ODD)


def built(transformers, model, layers):
    config = transformers.LlamaConfig(
        hidden_size=model.hidden,
        intermediate_size=model.intermediate,
        num_hidden_layers=layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        head_dim=model.head_dim,
        vocab_size=model.vocabulary,
        max_position_embeddings=model.positions,
        tie_word_embeddings=model.tied,
        attention_bias=model.attention_bias,
        mlp_bias=model.mlp_bias,
        attn_implementation="eager",
    )
    with torch.device("meta"):
        return transformers.LlamaForCausalLM(config).eval()


def counted(reference, cache, past, new):
    with torch.device("meta"), torch.no_grad():
        if past:
            reference(torch.zeros(1, past, dtype=torch.long), past_key_values=cache)
        with flop_counter.FlopCounterMode(display=False) as counter:
            reference(
                torch.zeros(1, new, dtype=torch.long), past_key_values=cache, logits_to_keep=1
            )
    return counter.get_total_flops()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize(("past", "new"), [(0, 16), (0, 300), (16, 1), (315, 1), (100, 5)])
def test_parts_cost_what_the_reference_computes(transformers, model, past, new):
    two = replace(model, layers=2)
    llama = Llama(two, 1, 1)
    parts = (llama.head(1, new, past), llama.tail(1, new, past))
    flops = counted(built(transformers, model, 2), transformers.DynamicCache(), past, new)
    assert sum(part.flops for part in parts) == pytest.approx(flops, rel=1e-3)
    one = counted(built(transformers, model, 1), transformers.DynamicCache(), past, new)
    assert llama.middle(0, 1, new, past).flops == pytest.approx(flops - one, rel=1e-3)
    assert llama.whole(new, past).flops == sum(part.flops for part in parts)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_parameters_are_those_of_the_reference(transformers, model):
    found = [
        sum(p.numel() for p in built(transformers, model, layers).parameters()) for layers in (1, 2)
    ]
    whole = found[0] + (model.layers - 1) * (found[1] - found[0])
    assert costs.parameters(model) == whole
    assert Llama(model).whole(1, 0).weight_bytes == 2 * whole


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_caches_and_hidden_states_are_as_large_as_the_references(transformers, model):
    reference = built(transformers, model, 2).half()
    cache = transformers.DynamicCache()
    counted(reference, cache, 20, 3)
    kept = sum(t.nbytes for layer in cache.layers for t in (layer.keys, layer.values))
    assert Llama(model).kv_bytes(2) * 23 == kept
    with torch.device("meta"):
        states = reference.model(torch.zeros(1, 7, dtype=torch.long)).last_hidden_state
    assert Llama(model).hidden(7, 1).encoded_bytes(CODECS["fp16"]) == states.nbytes


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize(("past", "new"), [(0, 16), (315, 1), (100, 5)])
def test_memory_traffic_is_that_of_the_products_of_the_reference(transformers, model, past, new):
    """A layer reads its weights, inputs and cache, and writes its outputs; scores do not travel."""
    reference = built(transformers, model, 2).half()
    with torch.device("meta"), torch.no_grad():
        cache = transformers.DynamicCache()
        if past:
            reference(torch.zeros(1, past, dtype=torch.long), past_key_values=cache)
        moved = Moved(reference.model.layers[0])
        reference(torch.zeros(1, new, dtype=torch.long), past_key_values=cache)
    layer = Llama(model).middle(0, 1, new, past)
    read = cache.layers[0].keys.nbytes + cache.layers[0].values.nbytes
    queries_and_outputs = 2 * 2 * new * model.inner
    assert layer.memory_bytes == pytest.approx(moved.bytes + read + queries_and_outputs, rel=0.01)


class Moved:
    """Adds up what the linear maps of a layer read and write, and the layer's norms."""

    def __init__(self, layer):
        self.bytes = 0
        for module in layer.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(self.add)
        norms = (layer.input_layernorm, layer.post_attention_layernorm)
        self.bytes += sum(norm.weight.nbytes for norm in norms)

    def add(self, module, inputs, output):
        self.bytes += inputs[0].nbytes + output.nbytes
        self.bytes += sum(parameter.nbytes for parameter in module.parameters())
