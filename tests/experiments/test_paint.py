"""Pictures by a model split over processes: what is in the files, and who could see it."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="pip install 'tessera[real]'")

import torch
from PIL import Image

from experiments import paint
from real_runner.shards.packages import class_named, unwarned
from real_runner.shards.saving import save
from real_runner.shards.sdxl.architecture import PARTS
from real_runner.shards.sdxl.weights import drawn
from tests.checkpoints import clip_tokenizers
from tests.complaints import refused
from tests.experiments.conftest import Ran
from tests.real_runner.shards.sdxl.painting import pipeline_of
from workloads.sdxl.variants import VARIANTS

SMALL = VARIANTS["sdxl-small"]
QUICK = ("--steps", 3, "--seed", 7, "--size", "64x32")


@pytest.fixture
def painted(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        status = paint.status_of([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.mark.long
def test_whoever_paints_it_is_the_same_picture_and_it_is_said_who_could_see_it(painted):
    told = {
        "lambda-split/edge-scheduler:codec=fp32": "lacks but the scheduler's last step",
        "cloud-only": "held prompt",
    }
    pictures = set()
    for policy, words in told.items():
        ran = painted("a fox", *QUICK, "--avoid", "hens", "--policy", policy)
        assert (ran.status, ran.out) == (0, "")
        assert "picture.png: 64x32 px" in ran.err
        assert words in ran.err
        with Image.open("picture.png") as picture:
            assert (picture.format, picture.size) == ("PNG", (64, 32))
            pictures.add(picture.tobytes())
    assert len(pictures) == 1


def diffusers_folder(folder: Path, state) -> Path:
    """Return a folder as `diffusers` saves a pipeline, as far as it is read."""
    for part in PARTS:
        (folder / part).mkdir(parents=True)
        own = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
        save(own, folder / part / "model.safetensors")
    return clip_tokenizers(folder)


@pytest.mark.long
def test_with_own_weights_it_is_the_picture_of_diffusers_with_previews_beside_it(painted, tmp_path):
    state = drawn(SMALL, 1)
    folder = diffusers_folder(tmp_path / "mine", state)
    ran = painted(
        "a fox", *QUICK, "--weights", folder, "--set", "workload.model=sdxl-small", "--preview", 1,
        "--policy", "lambda-split/lockstep:codec=fp32", "--out", "fox.png",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "held the last latent: the public decoder makes the picture" in ran.err
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "fox-01.png", "fox-02.png", "fox.png",
    ]  # fmt: skip
    with Image.open("fox-01.png") as picture:
        assert picture.size == (16, 8)
    pipeline = pipeline_of(SMALL, state)
    for name in ("tokenizer", "tokenizer_2"):
        own = class_named("transformers", "CLIPTokenizer").from_pretrained(folder / name)
        setattr(pipeline, name, own)
    with unwarned():
        (wanted,) = pipeline(
            prompt="a fox", width=64, height=32, num_inference_steps=3, guidance_scale=5.0,
            generator=torch.Generator().manual_seed(7), output_type="pil",
        ).images  # fmt: skip
    with Image.open("fox.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(wanted))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--weights", "nowhere"), "--weights nowhere: there is no such folder"),
        (("--weights", "."), "no folder 'tokenizer' there"),
        (("--policy", "lambda-split/lockstp"), "did you mean 'lambda-split/lockstep'?"),
        (("--policy", "edge-only", "--preview", 2), "--preview 2: edge-only makes none"),
        (("--preview", -1), "preview: -1; give 0"),
        (("--size", "large"), "--size large: give width and height"),
        (("--size", "60x60"), "give a multiple of 32"),
        (("--steps", 0), "steps"),
        (("--scheduler", "karras"), "scheduler"),
        (("--avoid", "x" * 80), "prompt: 80 tokens; the model reads 75"),
        (("--out", "none/x.png"), "--out none/x.png: name a file in a folder that is there"),
        (("--seed", -1), "--seed"),
    ],
)
def test_a_mistake_is_told_in_one_line(painted, arguments, words):
    ran = painted("a fox", *arguments)
    told = ran.err.splitlines(keepends=True)
    refused(Ran(ran.status, ran.out, told[-1]), words)
    assert all("nothing in particular" in line for line in told[:-1])
    assert list(Path().iterdir()) == []
