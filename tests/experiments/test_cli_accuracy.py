"""``tessera accuracy`` as a user types it."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.cli.main import status_of
from real_runner.shards import weights
from real_runner.shards.saving import save
from tests.computing import one_thread
from workloads.catalogue import model_named

SCENES = ("--scenes", "3")
EXACT, CHANGED = "sharded/exact:codec=fp32", "sharded/deferred:codec=fp32"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Numbers by chance, as any checkpoint has them, without the encoder of mode `image`."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    variant = model_named("sam-small").variant
    state = weights.drawn(variant, 0)
    save({n: t for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}, path)
    return path


def examined(capsys, checkpoint, *options):
    command = ["accuracy", "small-sam-16", "--weights", str(checkpoint), *options]
    with one_thread():
        assert status_of([*command, "--json"]) == 0
    return {each["policy"]: each for each in json.loads(capsys.readouterr().out)["policies"]}


def test_exact_modes_keep_everything_and_another_function_does_not(checkpoint, capsys):
    prefix = "sharded/prefix:codec=fp32,clouds=4"
    options = [word for spec in (EXACT, prefix, CHANGED) for word in ("--policy", spec)]
    found = examined(capsys, checkpoint, *SCENES, *options)
    for spec in (EXACT, prefix):
        assert found[spec]["same"] == found[spec]["agreement"] == 1.0
        assert found[spec]["kept"]["all"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found[CHANGED]["same"] < 1.0
    assert found[CHANGED]["agreement"] < 1.0
    assert found[CHANGED]["pictures"] == 3
    assert set(found[CHANGED]["miou"]) == {"all", "point", "box"}


def test_what_cannot_be_had_is_said_and_the_rest_goes_on(checkpoint, capsys):
    few, image = "sharded/exact:clouds=2,assignment=checkerboard", "sharded/image"
    options = ["--policy", few, "--policy", image, "--policy", EXACT]
    found = examined(capsys, checkpoint, *SCENES, *options)
    assert "needs at least 4 clouds" in found[few]["refused"]
    assert "no small encoder for tiles" in found[image]["refused"]
    assert found[EXACT]["same"] == 1.0


def test_what_is_kept_is_not_examined_again(checkpoint, capsys, tmp_path, monkeypatch):
    from experiments.laboratory.accuracy.examining import Unsplit

    options = (*SCENES, "--policy", EXACT, "--out", str(tmp_path / "a"))
    first = examined(capsys, checkpoint, *options)
    monkeypatch.setattr(Unsplit, "compared", None)  # whoever asks for it fails
    assert examined(capsys, checkpoint, *options) == first
    command = ["accuracy", "small-sam-16", "--weights", str(checkpoint), "--scenes", "4"]
    assert status_of([*command, "--policy", EXACT, "--out", str(tmp_path / "a")]) == 2
    assert "with another scenes" in capsys.readouterr().err


def test_who_is_interrupted_goes_on_after_what_is_done(checkpoint, capsys, tmp_path, monkeypatch):
    from experiments.laboratory.accuracy import sitting

    out = str(tmp_path / "a")
    command = ["accuracy", "small-sam-16", "--weights", str(checkpoint), *SCENES, "--out", out]
    command += ["--policy", EXACT, "--policy", CHANGED]
    usual, asked = sitting.policy_named, []

    def interrupted(spec):
        asked.append(spec)
        if spec == CHANGED:
            raise KeyboardInterrupt
        return usual(spec)

    with one_thread(), monkeypatch.context() as patch:
        patch.setattr(sitting, "policy_named", interrupted)
        assert status_of(command) == 130
    said = capsys.readouterr().err
    assert "the same command goes on after the splits that are done" in said
    assert said.count("\n") == 1
    assert EXACT in asked
    monkeypatch.setattr(sitting, "policy_named", lambda spec: asked.append(spec) or usual(spec))
    asked.clear()
    with one_thread():
        assert status_of(command) == 0
    assert EXACT not in asked
    assert CHANGED in asked


def test_pictures_that_have_changed_are_another_examination(checkpoint, capsys, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.full((40, 60, 3), 9, np.uint8)).save(pictures / "a.png")
    options = ("--images", str(pictures), "--policy", EXACT, "--out", str(tmp_path / "a"))
    examined(capsys, checkpoint, *options)
    Image.fromarray(np.full((40, 60, 3), 99, np.uint8)).save(pictures / "a.png")
    command = ["accuracy", "small-sam-16", "--weights", str(checkpoint), *options]
    assert status_of(command) == 2
    assert "with another pictures" in capsys.readouterr().err


def test_own_pictures_tell_how_far_masks_agree(checkpoint, capsys, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    options = ("--images", str(tmp_path), "--policy", CHANGED)
    found = examined(capsys, checkpoint, *options)[CHANGED]
    assert found["prompts"] == 16
    assert found["miou"] is None
    assert 0 <= found["agreement"] < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weights", "nowhere.pth"], "nowhere.pth: cannot be read"),
        (["--masks", "somewhere"], "--masks somewhere: belong to pictures"),
        (["--tuned", "sideways=x"], "--tuned 'sideways=x': give MODE=FILE"),
        (["--set", "workload.model=sam-vit-b"], "no trained weights ship with Tessera"),
    ],
)
def test_a_mistake_is_told_in_one_line(options, said, capsys):
    assert status_of(["accuracy", *options]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_bytes_are_those_that_are_simulated(checkpoint, capsys):
    found = examined(capsys, checkpoint, *SCENES, "--policy", EXACT, "--policy", "local")
    assert found["local"]["bytes_up"] == found["local"]["bytes_down"] == 0.0
    square = "workload.image={width_px: 256, height_px: 256, encoding: raw}"
    command = ["simulate", "small-sam-16", "--policy", EXACT, "--set", square, "--json"]
    assert status_of(command) == 0
    (simulated,) = json.loads(capsys.readouterr().out)["policies"]
    for name in ("bytes_up", "bytes_down"):
        assert found[EXACT][name] == pytest.approx(simulated["metrics"][name]["mean"])
