import pytest

from workloads.arrivals import Poisson
from workloads.catalogue import (
    SAM_WORKLOADS,
    WORKLOADS,
    Painting,
    Text,
    describe,
    generates,
    model_named,
    workload_named,
)
from workloads.errors import WorkloadError
from workloads.images import Image
from workloads.lengths import Lognormal, Uniform


def test_every_name_makes_a_model_of_that_name_and_one_line():
    sams = ["sam-vit-b", "sam-vit-l", "sam-vit-h", "sam-small", "sam-small-window-first"]
    assert list(SAM_WORKLOADS) == sams
    made = ["llama2-7b", "llama2-13b", "llama2-70b", "llama-small", "sdxl-base", "sdxl-small"]
    assert list(WORKLOADS) == [*SAM_WORKLOADS, *made]
    for name in WORKLOADS:
        model = workload_named(name, Poisson(1), 1).model
        assert model.name == name
        assert generates(model) == (name in made)
        assert "\n" not in describe(name)
        assert "FLOP" in describe(name)
    assert all(model_named(name).name == name for name in SAM_WORKLOADS)


def test_what_is_asked_of_a_generative_model_reaches_it():
    written = workload_named("llama2-7b", Poisson(1), 1, text=Text(5, 7), precision="int8").model
    assert (written.prompt_tokens, written.output_tokens, written.precision) == (5, 7, "int8")
    asked = Painting(steps=4, width_px=512, height_px=768, guidance=False)
    painted = workload_named("sdxl-base", Poisson(1), 1, painting=asked).model
    assert (painted.steps, painted.width_px, painted.height_px) == (4, 512, 768)
    assert painted.prompts == 1
    asked = Painting(scheduler="ddim", guidance_scale=7.5)
    painted = workload_named("sdxl-small", Poisson(1), 1, painting=asked).model
    assert (painted.scheduler, painted.guidance_scale) == ("ddim", 7.5)


def test_lengths_are_drawn_for_each_request_and_bounded_by_what_the_model_can_hold():
    text = Text(Uniform(4, 9), Lognormal(100.0, 0.5, 400))
    workload = workload_named("llama2-7b", Poisson(1), 50, text=text)
    assert (workload.model.prompt_tokens, workload.model.output_tokens) == (9, 400)
    with pytest.raises(WorkloadError, match="9 tokens in and 5000 out are more than the 4096"):
        workload_named(
            "llama2-7b", Poisson(1), 1, text=Text(Uniform(4, 9), Lognormal(100.0, 0.5, 5000))
        )


@pytest.mark.parametrize(
    ("name", "choices", "field"),
    [
        ("sam-vit-b", {"text": Text()}, "text"),
        ("sam-vit-b", {"painting": Painting()}, "painting"),
        ("llama2-7b", {"painting": Painting()}, "painting"),
        ("sdxl-base", {"text": Text()}, "text"),
    ],
)
def test_a_choice_that_means_nothing_to_the_model_is_an_error(name, choices, field):
    with pytest.raises(WorkloadError, match=f"workload.{field}: means nothing to '{name}'"):
        workload_named(name, Poisson(1), 1, **choices)


def test_what_is_no_sam_is_told_so():
    with pytest.raises(WorkloadError, match="'llama2-7b' is no SAM; choose one of sam-vit-b"):
        model_named("llama2-7b")


def test_choices_reach_the_model():
    image = Image(640, 480, "png")
    model = model_named(
        "sam-vit-l", image=image, prompts=5, precision="int8", pixel_encoding="jpeg"
    )
    assert (model.image, model.prompts, model.precision) == (image, 5, "int8")
    assert model.pixel_encoding == "jpeg"
    workload = workload_named("sam-small", Poisson(2), 10, prompts=2, image=image)
    assert workload.model == model_named("sam-small", image=image, prompts=2)
    assert (workload.arrivals, workload.requests) == (Poisson(2), 10)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sam-vit-hh", "did you mean 'sam-vit-h'"),
        ("llama", "did you mean 'llama2-7b'"),
        ("xyz", "choose one of sam-vit-b, sam-vit-l"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, hint):
    with pytest.raises(WorkloadError, match=f"workload: '{name}' is unknown; {hint}"):
        model_named(name)
