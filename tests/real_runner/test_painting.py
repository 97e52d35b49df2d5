"""SDXL split over the wire: the picture of diffusers' own pipeline, whoever denoises it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from experiments.fidelity.beliefs import as_believed  # noqa: E402
from real_runner.deployment import Deployment, NodeSpec  # noqa: E402
from real_runner.orchestration.prompts import Asked  # noqa: E402
from real_runner.runner import RealRunner  # noqa: E402
from real_runner.shards.sdxl import weights  # noqa: E402
from sim.engine.simulator import Simulator  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.policies.denoising import SplitDenoising  # noqa: E402
from sim.policies.generating import CloudOnly, EdgeOnly  # noqa: E402
from sim.runner import Scenario  # noqa: E402
from sim.tables import Tables  # noqa: E402
from sim.trace import FINISHED  # noqa: E402
from tests.computing import one_thread  # noqa: E402
from tests.real_runner.conftest import in_turn  # noqa: E402
from tests.real_runner.shards.sdxl.painting import (  # noqa: E402
    PROMPTS,
    SEED,
    TINY,
    Padding,
    World,
    pipeline_of,
)
from workloads.codec import codec_named  # noqa: E402
from workloads.sdxl.model import Sdxl  # noqa: E402
from workloads.stage import ChainLink  # noqa: E402

DESIGNS = ("lockstep", "edge-scheduler")
STEPS = 40
"""Enough for a cloud to be killed in their midst."""


@dataclass(frozen=True)
class Latent(Sdxl):
    """An SDXL that is asked for the last latent instead of the picture."""

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        *links, last = Sdxl.chain.fget(self)  # type: ignore[attr-defined]
        return (*links, last, ChainLink(last.stage, self.latent(self.steps)))


class Gallery:
    """What came of the requests of one run."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}
        self.previews: dict[int, list[tuple[Any, bytes]]] = defaultdict(list)

    def asking(self, request) -> Asked:
        return Asked(tuple(PROMPTS[: request.model.prompts].flat), SEED + request.index)

    def answered(self, request, content: bytes) -> None:
        self.answers[request.index] = content

    def previewed(self, request, payload, content: bytes) -> None:
        self.previews[request.index].append((payload, content))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery()


@pytest.fixture(scope="module")
def runner(gallery: Gallery) -> Iterator[RealRunner]:
    with RealRunner(
        Deployment(default=NodeSpec()),
        asking=gallery.asking,
        answered=gallery.answered,
        previewed=gallery.previewed,
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def _afresh(gallery: Gallery) -> None:
    gallery.answers.clear()
    gallery.previews.clear()


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """The pipeline with the weights that workers draw for the scenarios here, of seed 0."""
    path = tmp_path_factory.mktemp("sdxl") / "tiny.safetensors"
    state = weights.drawn(TINY, 0)
    pipeline = pipeline_of(TINY, state)
    pipeline.tokenizer, pipeline.tokenizer_2 = Padding(19), Padding(0)
    return World(weights.prepare(Sdxl(TINY), None, 0, path), pipeline)


def tiny(kind=Sdxl, **changes) -> Sdxl:
    size = {"steps": STEPS, "width_px": 64, "height_px": 32, "precision": "fp32"}
    return kind(TINY, **size | changes)


def exact(design: str, **options) -> SplitDenoising:
    return SplitDenoising(design, codec="fp32", **options)


def scenario_of(policy, model, requests=1, clients=1) -> Scenario:
    """Return requests to an edge and two clouds: every node's worker takes seconds to begin."""
    scenario = in_turn(policy, requests, clients, model=model)
    topology, dear = scenario.topology, {"azure-a100", "coreweave-h100"}
    nodes = tuple(node for node in topology.nodes if node.name not in dear)
    links = tuple(link for link in topology.links if link.target not in dear)
    return replace(scenario, topology=replace(topology, nodes=nodes, links=links))


def painted(runner, gallery, policy, model, **changes) -> tuple[bytes, Any]:
    """Return the answer of one request and the trace; all requests have to finish."""
    trace = runner.run(scenario_of(policy, model, **changes))
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    return gallery.answers[0], trace


def sizes(model: Sdxl, design: str, codec: str) -> tuple[float, float]:
    """Return the bytes up and down that the formula has: a lone first latent is sent whole."""
    written, whole = codec_named(codec), codec_named("fp32")
    field, first = (model.latent(0).encoded_bytes(each) for each in (written, whole))
    told = sum(payload.encoded_bytes(written) for payload in model.told)
    return told + (first if design == "lockstep" else field * model.steps), field * model.steps


PICTURE = tiny()
LATENT = tiny(Latent, scheduler="dpmpp-2m")
"""Two models only: workers begin afresh for each, which takes longer than all that they do."""


@pytest.mark.parametrize("design", DESIGNS)
def test_the_last_latent_is_that_of_diffusers_pipeline_to_the_bit(runner, gallery, world, design):
    content, _ = painted(runner, gallery, exact(design), LATENT)
    wanted = world.reference(LATENT)
    np.testing.assert_array_equal(np.frombuffer(content, "<f4").reshape(wanted.shape), wanted)
    assert wanted.std() > 0.1


def test_in_eight_bits_both_ends_step_on_the_same_numbers_and_end_near_the_picture(runner, gallery):
    policies = (exact("lockstep"), SplitDenoising("lockstep", codec="int8"))
    wanted, found = (
        np.frombuffer(painted(runner, gallery, each, LATENT)[0], "<f4") for each in policies
    )
    assert 0 < np.abs(found - wanted).max() < 0.1 * wanted.std()


def test_a_picture_is_the_same_in_both_designs_and_by_one_node_alone(runner, gallery):
    policies = (EdgeOnly(), CloudOnly(), *map(exact, DESIGNS))
    alone, *others = (painted(runner, gallery, each, PICTURE)[0] for each in policies)
    assert len(alone) == prod((PICTURE.width_px, PICTURE.height_px, 3))
    assert np.frombuffer(alone, np.uint8).std() > 1
    assert others == [alone] * 3


@pytest.mark.parametrize("codec", ["fp32", "int8"])
@pytest.mark.parametrize("design", DESIGNS)
def test_what_travels_is_what_the_formula_says_in_both_worlds(runner, gallery, design, codec):
    policy = SplitDenoising(design, codec=codec)
    _, trace = painted(runner, gallery, policy, PICTURE)
    for each in (trace, Simulator().run(scenario_of(policy, PICTURE))):
        (row,) = Tables(each).requests().to_dict("records")
        assert (row["bytes_up"], row["bytes_down"]) == sizes(PICTURE, design, codec)


@pytest.mark.parametrize("design", DESIGNS)
def test_previews_are_shown_on_the_way_each_once(runner, gallery, world, design):
    content, _ = painted(runner, gallery, exact(design, preview=15), PICTURE)
    shown = gallery.previews[0]
    assert sorted(payload.blocks_done for payload, _ in shown) == [15, 30]
    edge = world.origin(PICTURE)
    for done in range(STEPS):
        edge.run(0, (PICTURE.denoise(done), PICTURE.schedule(done)))
    for payload, picture in shown:
        edge.run(0, (PICTURE.preview(payload.blocks_done),))
        assert picture == edge.get(0, payload).tobytes()
    edge.run(0, (PICTURE.decode(),))
    assert content == edge.get(0, PICTURE.image).tobytes()


def test_several_pictures_at_a_time_are_each_its_own(runner, gallery):
    painted(runner, gallery, EdgeOnly(), PICTURE, requests=3)
    alone = dict(gallery.answers)
    assert len(set(alone.values())) == 3
    gallery.answers.clear()
    painted(runner, gallery, exact("edge-scheduler"), PICTURE, requests=3, clients=3)
    assert gallery.answers == alone


@pytest.mark.parametrize("design", DESIGNS)
def test_a_cloud_that_is_killed_in_mid_picture_costs_time_and_changes_no_bit(
    runner, gallery, design
):
    scenario = as_believed(scenario_of(exact(design), PICTURE))
    runner.run(scenario)  # in which weights are read and packages imported
    calm = runner.run(scenario)
    wanted = gallery.answers.pop(0)
    (cloud,) = Tables(calm).exposure()["node"]
    crash = FaultPlan((Fault(0.3 * calm.outcomes[0].latency_s, cloud, "crash"),))
    trace = runner.run(replace(scenario, faults=crash))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    assert gallery.answers[0] == wanted
    tables = Tables(trace)
    assert tables.exposure()["node"].nunique() == 2, "another went on"
    (row,), (before,) = (each.requests().to_dict("records") for each in (tables, Tables(calm)))
    assert row["bytes_up"] > before["bytes_up"], "and was told the prompts once more"
