"""Weights: drawn by seed, a pipeline's folder, one file, and what is refused."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError
from real_runner.shards.packages import unwarned
from real_runner.shards.sdxl import weights
from real_runner.shards.sdxl.executor import SdxlExecutor
from tests.real_runner.shards.sdxl.painting import SMALL, World, edge_steps, latent, tiny, torch
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload

MODEL = tiny(steps=2)


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    """Return a folder as the pipeline itself saves it, the denoiser in several files."""
    path = tmp_path_factory.mktemp("pipeline")
    with unwarned():
        world.pipeline.unet.save_pretrained(path / "unet", max_shard_size="200KB")
        for name in ("vae", "text_encoder", "text_encoder_2"):
            getattr(world.pipeline, name).save_pretrained(path / name)
    assert len(list((path / "unet").glob("*.safetensors"))) > 1
    return path


def painted(path):
    world = World(path, None)
    edge, cloud = world.origin(MODEL), world.node(MODEL)
    edge_steps(MODEL, edge, cloud)
    edge.run(0, (MODEL.decode(),))
    return latent(edge, MODEL), edge.get(0, MODEL.image)


def test_the_same_seed_draws_the_same_and_another_other_numbers(tmp_path):
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        assert weights.prepare(MODEL, None, seed, file) == file
    assert files[0].read_bytes() == files[1].read_bytes()
    one, two = load_file(files[0]), load_file(files[2])
    assert one.keys() == two.keys()
    assert not torch.equal(one["vae.decoder.conv_in.weight"], two["vae.decoder.conv_in.weight"])


def test_a_pipelines_folder_paints_what_one_file_does(world, folder, tmp_path):
    target = tmp_path / "unused.safetensors"
    assert weights.prepare(MODEL, folder, 0, target) == folder
    assert weights.prepare(MODEL, world.path, 0, target) == world.path
    assert not target.exists()
    for ours, theirs in zip(painted(folder), painted(world.path), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_files_at_half_precision_are_read_where_there_are_no_others(world, folder, tmp_path):
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        (tmp_path / part).mkdir()
        state = {}
        for file in (folder / part).glob("*.safetensors"):
            state |= {name: tensor.half() for name, tensor in load_file(file).items()}
        save_file(state, tmp_path / part / "model.fp16.safetensors")
    assert weights.prepare(MODEL, tmp_path, 0, tmp_path) == tmp_path
    ours, theirs = painted(tmp_path)[0], painted(world.path)[0]
    assert 0 < np.abs(ours - theirs).max() < 0.05 * np.abs(theirs).max()


def changed(world, tmp_path, change):
    state = load_file(world.path)
    change(state)
    path = tmp_path / "changed.safetensors"
    save_file(state, path)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda state: state.pop("unet.conv_out.bias"),
            r"lacks unet's conv_out.bias \(4,\); give the unet of sdxl-tiny, or choose the model",
        ),
        (
            lambda state: state.update({"vae.decoder.conv_out.bias": torch.zeros(5)}),
            r"changed.*vae.decoder.conv_out.bias has shape \(5,\), wanted \(3,\); give the vae of",
        ),
    ],
)
def test_what_is_no_model_of_that_variant_is_refused(world, tmp_path, change, words):
    path = changed(world, tmp_path, change)
    with pytest.raises(RealRunError, match=words) as error:
        weights.prepare(MODEL, path, 0, tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(RealRunError, match="weights"):
        painted(path)


def test_what_a_file_has_besides_is_left_alone(world, tmp_path):
    path = changed(world, tmp_path, lambda state: state.update({"vae.encoder.x": torch.zeros(1)}))
    assert weights.prepare(MODEL, path, 0, tmp_path) == path


def test_no_file_no_folder_an_empty_one_and_no_safetensors_are_refused(tmp_path):
    (tmp_path / "unet").mkdir()
    text = tmp_path / "text.safetensors"
    text.write_text(json.dumps({}))
    for path, words in (
        (tmp_path / "none", "no such file or folder; give a .safetensors file, or a folder with"),
        (tmp_path, "unet: no .safetensors file there; give a folder as diffusers saves"),
        (text, "cannot be read .*; give a .safetensors file"),
    ):
        with pytest.raises(RealRunError, match=words):
            weights.prepare(MODEL, path, 0, tmp_path)


def test_drawn_weights_of_the_small_variant_paint_something_to_be_seen(tmp_path):
    model = Sdxl(SMALL, 4, 64, 64)
    path = weights.prepare(model, None, 0, tmp_path / "small.safetensors")
    node = SdxlExecutor(model, path, NodeSpec())
    tokens = np.full((2, 77), 257, "<i4")
    tokens[0, :4] = 256, *b"fox"
    pictures = []
    for seed in (0, 1):
        node.put(0, model.captured, tokens.view(np.uint8).reshape(-1))
        node.put(0, Payload("seed"), np.array([seed], "<u8").view(np.uint8))
        node.run(0, tuple(link.stage for link in model.chain))
        pictures.append(node.get(0, model.image).reshape(64, 64, 3).astype(float))
    for picture in pictures:
        steps = np.abs(np.diff(picture, axis=0)).mean()
        assert picture.std(axis=(0, 1)).max() > 10  # not one colour
        assert steps < picture.std() / 2  # not noise, whose neighbours differ by more
    assert np.abs(pictures[0] - pictures[1]).mean() > 5
