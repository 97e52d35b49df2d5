"""Weights as users have them, and weights that are none of the model."""

import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from real_runner.errors import RealRunError
from real_runner.shards.llama.architecture import config_of
from real_runner.shards.llama.executor import LlamaExecutor
from real_runner.shards.llama.weights import drawn, prepare
from real_runner.shards.packages import class_named, unwarned
from tests.real_runner.shards.llama.conftest import (
    JOB,
    SPEC,
    TINY,
    Parts,
    as_bytes,
    greedy,
    prompt_of,
)
from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS, Stretch, read_architecture

SMALL = VARIANTS["llama-small"]
KINDS = {
    "plain": TINY,
    "tied": replace(TINY, tied=True),
    "attention bias": replace(TINY, attention_bias=True),
    "all biases": replace(TINY, attention_bias=True, mlp_bias=True),
    "wavelengths": replace(TINY, rope_theta=500.0, norm_eps=1e-3),
    "linearly stretched": replace(TINY, stretch=Stretch(3.0)),
    "stretched as Llama 3": replace(TINY, stretch=Stretch(8.0, 1.0, 4.0, 16)),
    "every head its own": replace(TINY, kv_heads=6),
}


def reference_of(architecture, seed=3):
    """Return the unsplit model of `transformers` with drawn weights."""
    model = class_named("transformers", "LlamaForCausalLM")(config_of(architecture)).eval()
    missing, unexpected = model.load_state_dict(drawn(architecture, seed), strict=False)
    assert not unexpected
    assert set(missing) <= ({"lm_head.weight"} if architecture.tied else set())
    model.tie_weights()
    return model


def saved(model, folder, **options):
    with unwarned():
        model.save_pretrained(folder, **options)
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["5GB", "40KB"])
def test_a_folder_as_transformers_saves_it_writes_the_same_text(tmp_path, kind, size):
    reference = reference_of(KINDS[kind])
    folder = saved(reference, tmp_path / "mine", max_shard_size=size)
    assert (len(list(folder.glob("*.safetensors"))) > 1) == (size == "40KB")
    architecture = read_architecture(folder / "config.json")
    assert replace(architecture, name="tiny") == KINDS[kind]
    model, prompt = Llama(architecture, 8, 64, "fp32"), prompt_of(1, 8)
    assert prepare(model, folder, 0, tmp_path / "unused") == folder
    assert not (tmp_path / "unused").exists()
    assert Parts(model, folder, (1, 4)).write(prompt, 12, draft=2) == greedy(reference, prompt, 12)


def test_a_drafter_lies_in_a_folder_of_its_own(tmp_path):
    folder = saved(reference_of(TINY), tmp_path / "both")
    saved(reference_of(TINY), folder / "drafter")
    model = Llama(TINY, 8, 64, "fp32", drafter=TINY)
    prepare(model, folder, 0, tmp_path / "unused")
    parts, prompt = Parts(model, folder, (1, 4)), prompt_of(2, 8)
    parts.ask(prompt)
    parts.round(8, 0)
    assert len(parts.round(5, 8, 5, guesses=4)) == 5
    (folder / "drafter" / "model.safetensors").unlink()
    with pytest.raises(RealRunError, match=r"both/drafter: no \.safetensors file there"):
        prepare(model, folder, 0, tmp_path / "unused")


def refusal(given, model, tmp_path):
    with pytest.raises(RealRunError) as caught:
        prepare(model, given, 0, tmp_path / "unused")
    assert "\n" not in str(caught.value)
    assert str(given) in str(caught.value)
    return str(caught.value)


def test_weights_that_are_not_the_models_are_refused_in_one_line(tmp_path, model, weights):
    state = load_file(weights)
    path = tmp_path / "changed.safetensors"
    name = "model.layers.3.self_attn.k_proj.weight"
    save_file(state | {name: torch.zeros(4, 5)}, path)
    assert f"{name} has shape (4, 5), wanted (32, 48)" in refusal(path, model, tmp_path)
    save_file({each: tensor for each, tensor in state.items() if each != name}, path)
    assert f"{name} is missing; give a checkpoint of tiny" in refusal(path, model, tmp_path)
    with_drafter = replace(model, drafter=TINY)
    assert "drafter.model" in refusal(weights, with_drafter, tmp_path)
    path.write_bytes(b"nothing of the kind" * 9)
    assert "cannot be read" in refusal(path, model, tmp_path)
    path.write_bytes(weights.read_bytes()[:5000])
    assert "cannot be read" in refusal(path, model, tmp_path)


def test_a_deeper_models_weights_are_not_taken_for_the_models(tmp_path, model):
    deeper = replace(TINY, layers=6)
    given = prepare(Llama(deeper, 8, 64, "fp32"), None, 3, tmp_path / "deeper.safetensors")
    assert "is of a layer beyond 5; give a checkpoint of tiny" in refusal(given, model, tmp_path)


@pytest.mark.parametrize("size", ["5GB", "40KB"])
def test_what_else_lies_in_a_folder_is_left_alone(tmp_path, model, unsplit, size):
    folder = saved(unsplit, tmp_path / "mine", max_shard_size=size)
    old = {name: torch.zeros_like(tensor) for name, tensor in drawn(TINY, 3).items()}
    save_file(old, folder / "zz-of-an-older-run.safetensors")
    prompt = prompt_of(1, 8)
    assert Parts(model, folder, (1, 4)).write(prompt, 4) == greedy(unsplit, prompt, 4)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}']
)
def test_an_index_that_is_none_is_refused(tmp_path, model, content):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json: cannot be read" in refusal(folder, model, tmp_path)


def test_where_no_weights_are_it_is_said(tmp_path, model):
    (tmp_path / "old").mkdir()
    assert "no .safetensors file there" in refusal(tmp_path / "old", model, tmp_path)
    torch.save({}, tmp_path / "old" / "pytorch_model.bin")
    assert "a .bin of older ones is to be converted" in refusal(tmp_path / "old", model, tmp_path)
    assert "no .safetensors file there" in refusal(tmp_path / "none", model, tmp_path)
    (tmp_path / "old" / "model.safetensors").mkdir()
    with pytest.raises(RealRunError, match="cannot be read"):
        prepare(model, tmp_path / "old", 0, tmp_path / "unused")


def test_weights_are_the_same_for_the_same_seed_and_no_other(tmp_path, model):
    paths = [prepare(model, None, seed, tmp_path / f"{n}.st") for n, seed in enumerate((1, 1, 2))]
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second
    assert first != third
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.st", "1.st", "2.st"]


def test_where_there_is_no_room_for_weights_it_is_said(tmp_path, model):
    with pytest.raises(RealRunError, match=re.escape("cannot be written")):
        prepare(model, None, 0, tmp_path / "no" / "where.safetensors")


@pytest.mark.parametrize("architecture", [TINY, SMALL], ids=lambda each: each.name)
def test_drawn_weights_are_lively_at_every_depth(tmp_path, architecture):
    model = Llama(architecture, 24, 64, "fp32")
    executor = LlamaExecutor(model, prepare(model, None, 1, tmp_path / "drawn.st"), SPEC)
    prompt = prompt_of(3, 24)
    executor.put(JOB, model.captured, as_bytes(prompt))
    for depth in range(1, model.layers):
        executor.run(JOB, (model.head(depth, 24, 0),))
        rows = executor.get(JOB, model.hidden(24, depth))
        assert 0.1 < (rows**2).mean() ** 0.5 < 10, depth
        assert rows.std(axis=0).mean() > 0.1, "and differ from place to place"
    answer = [*executor.run(JOB, (model.whole(24, 0),)).tokens]
    for done in range(39):
        answer += executor.run(JOB, (model.whole(1, 24 + done),)).tokens
    assert len(set(answer)) > 5
