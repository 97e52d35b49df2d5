"""Courses of training: deterministic, taken up where they stood, and of use."""

import csv

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.training import course as courses
from experiments.laboratory.training.course import Course, part_of_rate, weights_of
from experiments.laboratory.training.notebook import Notebook
from experiments.laboratory.training.orders import Orders
from real_runner.errors import RealRunError
from real_runner.shards.saving import save
from real_runner.shards.weights import load
from tests.computing import one_thread
from workloads.sam.variants import Variant

TINY = Variant("tiny", 32, 2, 2, (1,), window_tokens=2, image_px=64)
ORDERS = Orders(variant="tiny", steps=6, batch=2, every=2, examined=3)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def begun(folder, orders=ORDERS):
    course, notebook = Course(orders, TINY, "cpu"), Notebook(folder)
    try:
        course.take_up(notebook)
    except RealRunError:
        notebook.close()
        raise
    return course, notebook


def curve(folder):
    with (folder / "curve.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("optimiser", "precision"), [("adamw", "fp32"), ("muon", "bf16")])
def test_a_course_that_was_interrupted_ends_as_one_that_was_not(tmp_path, optimiser, precision):
    orders = ORDERS.model_copy(update={"optimiser": optimiser, "precision": precision})
    whole, notebook = begun(tmp_path / "whole", orders)
    marks = list(whole.run(notebook, lambda: None))
    assert [mark.step for mark in marks] == [2, 4, 6]

    parted, notebook = begun(tmp_path / "parted", orders)
    told = []
    running = parted.run(notebook, lambda: told.append(parted.step))
    next(running)
    next(running)
    running.close()
    notebook.close()
    assert told == [1, 2, 3, 4]
    parted, notebook = begun(tmp_path / "parted", orders)
    assert parted.step == 4
    assert [mark.step for mark in parted.run(notebook, lambda: None)] == [6]

    for name, value in whole.sam.state_dict().items():
        assert torch.equal(value, parted.sam.state_dict()[name]), name
    rows, again = curve(tmp_path / "whole"), curve(tmp_path / "parted")
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    for key in ("step", "loss", "point", "box"):
        assert [row[key] for row in rows] == [row[key] for row in again]
    assert not list(tmp_path.glob("*/*.part"))


def test_a_course_over_and_done_has_nothing_left_to_do(tmp_path):
    course, notebook = begun(tmp_path)
    list(course.run(notebook, lambda: None))
    notebook.close()
    course, notebook = begun(tmp_path)
    assert list(course.run(notebook, lambda: None)) == []


def test_two_courses_in_one_folder_do_not_meet(tmp_path):
    _, first = begun(tmp_path)
    with pytest.raises(RealRunError, match="another process is at work here; give another folder"):
        begun(tmp_path)
    first.close()
    begun(tmp_path)


def test_a_full_disk_is_told_in_one_line_and_what_was_kept_is_there_still(tmp_path, monkeypatch):
    course, notebook = begun(tmp_path)
    marks = course.run(notebook, lambda: None)
    next(marks)
    kept = (tmp_path / "course.pt").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RealRunError, match=r"course\.pt: cannot be written .*make room there"):
        next(marks)
    assert (tmp_path / "course.pt").read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_with_other_orders_or_another_file_is_refused(tmp_path):
    course, notebook = begun(tmp_path)
    list(course.run(notebook, lambda: None))
    notebook.close()
    with pytest.raises(RealRunError, match=r"course\.pt: is a course with other orders"):
        begun(tmp_path, ORDERS.model_copy(update={"seed": 1}))
    state = torch.load(tmp_path / "course.pt", weights_only=True)
    torch.save({**state, "optimiser": {"state": {}}}, tmp_path / "course.pt")
    with pytest.raises(RealRunError, match=r"course\.pt: is no saved course"):
        begun(tmp_path)
    (tmp_path / "course.pt").write_bytes(b"no such thing")
    with pytest.raises(RealRunError, match=r"course\.pt: is no saved course"):
        begun(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RealRunError, match="cannot be made"):
        Notebook(tmp_path / "file" / "folder")


@pytest.mark.long
@pytest.mark.parametrize("order", ["unsplit", "deferred"])
def test_a_course_teaches_something(tmp_path, order):
    """Its loss falls; how good masks get takes hours, and is told of the models that are kept."""
    orders = Orders(variant="tiny", order=order, steps=60, batch=4, every=15, examined=2)
    course, notebook = begun(tmp_path, orders)
    losses = [mark.loss for mark in course.run(notebook, lambda: None)]
    assert losses[-1] < 0.9 * losses[0]


def test_the_weights_are_a_checkpoint_of_the_variant(tmp_path):
    course, _ = begun(tmp_path / "course")
    save(weights_of(course.sam), tmp_path / "model.safetensors")
    state = load(tmp_path / "model.safetensors", TINY)
    assert all(each.dtype == torch.float16 for each in state.values())
    assert set(state) == set(course.sam.state_dict())


def test_the_rate_rises_then_falls_to_nothing():
    rates = [part_of_rate(step, 1000) for step in range(1000)]
    warm = round(courses.WARM_UP * 1000)
    assert rates[0] == pytest.approx(1 / warm)
    assert max(rates) == rates[warm] == 1
    assert rates[warm:] == sorted(rates[warm:], reverse=True)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("order", ["local-attention", "landmark"])
def test_a_course_with_shards_apart_is_the_same_each_time(order, tmp_path):
    orders = ORDERS.model_copy(update={"order": order, "clouds": (2, 16), "pool": 2})
    first, again = (
        list(begun(tmp_path / name, orders)[0].run(Notebook(tmp_path / f"{name}-n"), lambda: None))
        for name in "ab"
    )
    assert [(mark.loss, mark.point) for mark in first] == [(m.loss, m.point) for m in again]
    usual = list(begun(tmp_path / "c")[0].run(Notebook(tmp_path / "c-n"), lambda: None))
    assert usual[0].loss != first[0].loss


def test_a_course_may_begin_with_the_numbers_of_another_layout():
    before = Course(ORDERS, TINY, "cpu")
    other = Variant("other", 32, 2, 2, (0,), window_tokens=2, image_px=64)
    after = Course(ORDERS, other, "cpu", weights_of(before.sam))
    numbers, wanted = after.sam.state_dict(), before.sam.state_dict()
    for name, each in numbers.items():
        if "rel_pos" in name:
            assert each.shape != wanted[name].shape  # the blocks have changed their places
        else:
            torch.testing.assert_close(each, wanted[name], atol=1e-3, rtol=1e-2)
    del wanted["image_encoder.pos_embed"]
    with pytest.raises(RealRunError, match=r"has no image_encoder\.pos_embed"):
        Course(ORDERS, TINY, "cpu", wanted)
    larger = Variant("larger", 64, 2, 2, (1,), window_tokens=2, image_px=64)
    with pytest.raises(RealRunError, match="has shape"):
        Course(ORDERS, larger, "cpu", weights_of(before.sam))
