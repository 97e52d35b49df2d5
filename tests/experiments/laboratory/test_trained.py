"""What ships trained: weights with what made them, that do what they are said to do."""

import csv
import json
from statistics import fmean

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.checkpoints import FOLDER, TUNABLE, WEIGHTS, digest
from experiments.laboratory.training.course import fitted
from experiments.laboratory.training.judging import overlaps
from experiments.laboratory.training.lessons import examination
from experiments.laboratory.training.notebook import CURVE, REPORT
from experiments.laboratory.training.orders import Orders
from real_runner.shards.architecture import new_sam
from real_runner.shards.weights import read
from tests.computing import one_thread
from workloads.sam.variants import VARIANTS
from workloads.scenes import Look

NAMES = sorted(path.name for path in FOLDER.iterdir())
ANEW = "small/anew"
ALL = [*NAMES, ANEW]


def report_of(name):
    return json.loads((FOLDER / name / REPORT).read_text())


def orders_of(name):
    return Orders.model_validate(report_of(name)["orders"])


def test_the_model_of_the_laboratory_is_there():
    assert "small" in NAMES


@pytest.mark.parametrize("name", ALL)
def test_weights_lie_with_what_made_them(name):
    orders = orders_of(name)
    tuned = {f"{orders.variant}-{mode}" for mode in TUNABLE}
    assert name.partition("/")[0] in {orders.variant} | tuned
    assert (FOLDER / name / WEIGHTS).stat().st_size < 20e6
    with (FOLDER / name / CURVE).open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == list(range(orders.every, orders.steps + 1, orders.every))
    if orders.begins_with:
        assert orders.begins_with == beginning_of(name, orders.variant)


def beginning_of(name, variant):
    """Return the digest of what a course should have begun with.

    That of a mode is the variant's weights; that of a variant an earlier course, of which all but
    the weights is kept, or the weights of the usual layout.
    """
    before = FOLDER / name / "before" / REPORT
    if before.exists():
        return json.loads(before.read_text())["weights"]
    return digest(FOLDER / (variant if name != variant else "small") / WEIGHTS)


def test_what_was_made_anew_is_what_the_command_makes_by_itself():
    assert orders_of(ANEW) == Orders(variant="small")
    assert digest(FOLDER / ANEW / WEIGHTS) == report_of(ANEW)["weights"]
    told = report_of(ANEW)["test"]
    assert told["miou_point"] >= 0.80
    assert told["miou_box"] >= 0.88


@pytest.mark.parametrize("name", ALL)
def test_they_do_about_as_well_as_their_report_says(name):
    orders, told = orders_of(name), report_of(name)["test"]
    variant = VARIANTS[orders.variant]
    sam = new_sam(variant).eval()
    sam.load_state_dict(fitted(read(FOLDER / name / WEIGHTS), sam.state_dict()))
    look = Look(side_px=variant.image_px, prior=orders.prior)
    lessons = [examination(look, orders.seed, "test", n, "point") for n in range(12)]
    with one_thread():
        found = fmean(overlaps(sam, variant, orders.order, lessons, withheld=orders.withheld))
    assert found == pytest.approx(told["miou_point"], abs=0.08)
