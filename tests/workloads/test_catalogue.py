import pytest

from workloads.arrivals import Poisson
from workloads.catalogue import WORKLOADS, describe, model_named, workload_named
from workloads.errors import WorkloadError
from workloads.images import Image


def test_every_name_makes_a_model_of_that_name_and_one_line():
    assert list(WORKLOADS) == ["sam-vit-b", "sam-vit-l", "sam-vit-h", "sam-small"]
    for name in WORKLOADS:
        assert model_named(name).name == name
        assert "\n" not in describe(name)
        assert "GFLOP" in describe(name)


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
    [("sam-vit-hh", "did you mean 'sam-vit-h'"), ("llama", "choose one of sam-vit-b, sam-vit-l")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, hint):
    with pytest.raises(WorkloadError, match=f"workload: '{name}' is unknown; {hint}"):
        model_named(name)
