import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from real_runner.errors import RealRunError
from real_runner.shards import weights
from real_runner.shards.architecture import empty_sam
from tests.limits import no_file_above
from workloads.sam.model import Sam
from workloads.sam.variants import VARIANTS, Variant

SMALL = VARIANTS["small"]
DEEPER = Variant("deeper", 192, 9, 3, (1, 3, 5, 7), window_tokens=4, image_px=256)


@pytest.fixture(scope="module")
def state():
    return weights.drawn(SMALL, seed=11)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, state):
    """A file as SAM's authors publish theirs: the state dict of their class, by ``torch.save``."""
    sam = empty_sam(SMALL)
    plain = {n: t for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}
    sam.load_state_dict(plain, assign=True)
    path = tmp_path_factory.mktemp("checkpoint") / "sam_small.pth"
    torch.save(sam.state_dict(), path)
    return path


def test_what_finds_no_room_is_not_left_half_written(state, tmp_path):
    path = tmp_path / "weights.safetensors"
    with (
        no_file_above(4096),
        pytest.raises(RealRunError, match=rf"weights {path}: cannot be written .*make room"),
    ):
        weights.save(state, path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_drawn_by_seed(state):
    again, other = weights.drawn(SMALL, seed=11), weights.drawn(SMALL, seed=12)
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not any(torch.equal(state[name], other[name]) for name in state)


def test_nothing_is_left_at_a_value_that_would_hide_a_mistake(state):
    for name, tensor in state.items():
        assert tensor.std() > 0.005, name
        assert (tensor == 0).double().mean() < 0.001, name
    assert any("rel_pos" in name for name in state)
    assert "image_encoder.pos_embed" in state


@pytest.mark.parametrize("name", ["small", "vit-b"])
def test_activations_stay_sane(name):
    variant = VARIANTS[name]
    variant = Variant("probe", variant.dim, variant.depth, variant.heads, variant.global_blocks,
                      window_tokens=4, image_px=128)  # fmt: skip
    encoder = empty_sam(variant).image_encoder
    drawn = weights.drawn(variant, seed=0)
    prefix = "image_encoder."
    encoder.load_state_dict(
        {n[len(prefix) :]: t for n, t in drawn.items() if n.startswith(prefix)}, assign=True
    )
    with torch.inference_mode():
        tokens = encoder.patch_embed(torch.randn(1, 3, 128, 128)) + encoder.pos_embed
        for block in encoder.blocks:
            tokens = block(tokens)
            assert 0.3 < tokens.std() < 3


def test_safetensors_make_a_round_trip(tmp_path, state):
    weights.save(state, tmp_path / "w.safetensors")
    loaded = weights.load(tmp_path / "w.safetensors", SMALL)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_published_checkpoint_is_read(checkpoint, state):
    loaded = weights.load(checkpoint, SMALL)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.items())
    assert not any(name.startswith(weights.TILE_PREFIX) for name in loaded)


def test_what_workers_read_is_the_checkpoint_and_a_drawn_tile_encoder(tmp_path, checkpoint, state):
    target = tmp_path / "ready.safetensors"
    weights.prepare(Sam(SMALL), checkpoint, 11, target)
    assert weights.load(target, SMALL).keys() == state.keys()
    weights.prepare(Sam(SMALL), None, 11, target)
    loaded = weights.load(target, SMALL)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def refused(path, variant, message):
    with pytest.raises(RealRunError, match=re.escape(f"weights {path}: ") + message) as caught:
        weights.load(path, variant)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_variant_is_refused(checkpoint):
    refused(
        checkpoint, VARIANTS["vit-b"],
        r"image_encoder\.\S+ has shape \(.*\) instead of \(.*\); "
        r"found dim 192, 8 blocks, 16×16 tokens, wanted vit-b \(dim 768, 12 blocks, 64×64 tokens\)",
    )  # fmt: skip
    refused(checkpoint, DEEPER, r"lacks image_encoder\.blocks\.8\.\S+; found dim 192, 8 blocks")


def test_numbers_that_the_model_has_not_are_refused(tmp_path):
    path = tmp_path / "deep.safetensors"
    weights.save(weights.drawn(DEEPER, seed=0), path)
    refused(path, SMALL, r"has image_encoder\.blocks\.8\.\S+, which the model has not; found dim 1")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_checkpoint_is_refused(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    refused(path, SMALL, "no such file; give a .pth or .safetensors")
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    refused(path, SMALL, "cannot be read .*; wanted a state dict of segment_anything")
    path.write_bytes(b"")
    refused(path, SMALL, "cannot be read")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "holds a list, not named tensors"),
        ({}, "holds a dict, not named tensors"),
        ({"model": {"a": torch.zeros(1)}}, "entry 'model' is not a tensor"),
        ({"a": torch.zeros(1)}, r"lacks image_encoder\.pos_embed; found 1 tensors that are not a"),
    ],
)
def test_other_files_of_torch_are_refused(tmp_path, content, message):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    refused(path, SMALL, message)


class Trap:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return (print, ("the trap went off",))


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    path = tmp_path / "trap.pth"
    torch.save({"a": Trap()}, path)
    refused(path, SMALL, "cannot be read")
    assert "the trap" not in capsys.readouterr().out


def test_a_truncated_file_is_refused(tmp_path, checkpoint):
    path = tmp_path / "half.pth"
    path.write_bytes(checkpoint.read_bytes()[:100_000])
    refused(path, SMALL, "cannot be read")
    save_file({"a": torch.zeros(1000)}, tmp_path / "half.safetensors")
    whole = (tmp_path / "half.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[:1000])
    refused(tmp_path / "half.safetensors", SMALL, "cannot be read")
