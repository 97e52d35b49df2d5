"""What requests to models that generate bring along: to whom, once, and in the right length."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("grpc", reason="pip install 'tessera[real]'")

from real_runner.errors import RealRunError
from real_runner.orchestration.prompts import SEED, Asked, Prompts, asked_by_seed
from real_runner.wire.payloads import payload_of
from sim.plan import PlanBuilder
from sim.policy import UNTOUCHED, Progress
from tests.real_runner.conftest import in_turn
from workloads.llama.model import Llama, tokens
from workloads.llama.variants import VARIANTS
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import VARIANTS as PAINTERS
from workloads.stage import Request

LLAMA = Llama(VARIANTS["llama-small"], 3, 8)
REQUEST = Request(0, 0.0, "edge", LLAMA)
REAL = frozenset({"edge", "cloud", "other"})


def asking(request):
    return Asked((5, 6, 7), seed=2**63 + request.index)


def plan_of(drawing):
    """Return a plan by which ``drawing`` writes a text, between edge and cloud."""
    builder = PlanBuilder()
    head = builder.compute("edge", (LLAMA.head(1, 3, 0),), ())
    middle = builder.compute("cloud", (LLAMA.middle(1, 7, 3, 0),), head)
    builder.compute(drawing, (LLAMA.tail(7, 3, 0),), middle)
    return builder.build()


def brought(prompts, plan, progress=UNTOUCHED):
    """Return what each node is given, by the names of tensors."""
    found = {}
    for node, messages in prompts.of(4, REQUEST, plan, progress).items():
        assert {message.job for message in messages} == {4}
        for message in messages:
            content = np.frombuffer(message.content.content, message.content.dtype)
            found[node, payload_of(message.content.payload)] = content
    return found


def test_the_prompt_comes_to_the_origin_and_the_seed_to_whoever_draws():
    for drawing in ("edge", "other"):
        found = brought(Prompts(REAL, asking), plan_of(drawing))
        assert set(found) == {("edge", LLAMA.captured), (drawing, SEED)}
        assert found["edge", LLAMA.captured].view("<i4").tolist() == [5, 6, 7]
        assert found[drawing, SEED].view("<u8").tolist() == [2**63]


def test_nodes_that_do_not_compute_are_given_nothing():
    assert brought(Prompts(frozenset({"cloud"}), asking), plan_of("edge")) == {}
    assert set(brought(Prompts(frozenset({"other"}), asking), plan_of("other"))) == {
        ("other", SEED)
    }


def test_an_origin_that_has_it_is_given_nothing_again_but_after_a_loss_everything():
    prompts, plan = Prompts(REAL, asking), plan_of("edge")
    everything = set(brought(prompts, plan))
    done = Progress(1, plan.steps[:1])
    assert brought(prompts, plan, done) == {}
    elsewhere = Progress(1, plan.steps[1:2])
    assert set(brought(prompts, plan, elsewhere)) == everything
    assert set(brought(prompts, plan, replace(done, lost=plan.steps[2:]))) == everything


def test_what_has_arrived_at_the_origin_shows_that_it_has_its_prompt():
    builder = PlanBuilder()
    builder.transfer("cloud", "edge", tokens(1), "fp16", ())
    arrived = builder.build().steps
    assert brought(Prompts(REAL, asking), plan_of("cloud"), Progress(1, arrived)) == {}


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_prompt_of_another_length_is_an_error(count):
    prompts = Prompts(REAL, lambda _: Asked((5,) * count))
    words = f"request 0: a prompt of {count} tokens where the workload has 3; give as many"
    with pytest.raises(RealRunError, match=words):
        prompts.of(4, REQUEST, plan_of("edge"), UNTOUCHED)


@pytest.mark.parametrize(
    ("model", "vocabulary"),
    [(replace(LLAMA, prompt_tokens=200), 320), (Sdxl(PAINTERS["sdxl-small"]), 258)],
)
def test_prompts_drawn_by_seed_are_as_long_as_asked_of_tokens_that_there_are(model, vocabulary):
    scenario = in_turn(None, model=model)
    request, other = (Request(index, 0.0, "edge", model) for index in (0, 1))
    asked = asked_by_seed(scenario, 0)
    found = asked(request)
    assert len(found.tokens) == model.captured.tokens
    assert 3 <= min(found.tokens) <= max(found.tokens) < vocabulary
    assert found == asked_by_seed(scenario, 0)(request)
    assert found not in (asked(other), asked_by_seed(scenario, 1)(request))
