"""Plans carried out in one process: what comes of them, and what was sent."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from real_runner.deployment import NodeSpec  # noqa: E402
from real_runner.errors import StepError  # noqa: E402
from real_runner.inline import Inline  # noqa: E402
from real_runner.shards import weights  # noqa: E402
from real_runner.shards.inputs import captured  # noqa: E402
from real_runner.shards.sam import sam_executor  # noqa: E402
from real_runner.wire.codecs import encode  # noqa: E402
from sim.cost import Roofline  # noqa: E402
from sim.exposure import sights  # noqa: E402
from sim.plan import Compute, Transfer  # noqa: E402
from sim.policies.registry import policy_named  # noqa: E402
from sim.policy import UNTOUCHED, Estimates, View  # noqa: E402
from topologies.builders import star  # noqa: E402
from workloads.images import Image  # noqa: E402
from workloads.sam import payloads  # noqa: E402
from workloads.sam.model import Sam  # noqa: E402
from workloads.sam.variants import Variant  # noqa: E402
from workloads.stage import Payload, Request  # noqa: E402

SAM = Sam(Variant("tiny", 24, 4, 3, (1, 3), window_tokens=2, image_px=64),
          Image(64, 64, "raw"), prompts=2, precision="fp32")  # fmt: skip
STAR = star(edge="jetson-agx-orin-64gb", clouds=["t4"] * 3, rate_bits_per_s=1e9, delay_s=1e-3)
MASK = payloads.mask(SAM.variant, SAM.prompts)
ORIGIN = next(node.name for node in STAR.nodes if node.trusted and node.device)


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    weights.prepare(SAM, None, 0, path)
    return Inline(sam_executor(SAM, path, NodeSpec(dtype="fp32")))


def plan_of(policy):
    rates = tuple(channel.rate_bits_per_s for channel in STAR.channels)
    view = View(0.0, 0.0, Estimates(STAR, Roofline(), rates), {}, ())
    return policy_named(policy).plan(Request(0, 0.0, ORIGIN, SAM), UNTOUCHED, view)


def given():
    picture, prompts = captured(SAM, 0, 0)
    return ((ORIGIN, SAM.captured, np.frombuffer(picture, np.uint8)),
            (ORIGIN, Payload("prompt"), prompts))  # fmt: skip


def run(inline, policy):
    return inline.run(plan_of(policy), given(), (ORIGIN, MASK))


@pytest.mark.parametrize("mode", ["exact", "prefix"])
def test_exact_modes_give_the_masks_of_the_unsplit_model(inline, mode):
    unsplit, _ = run(inline, "local")
    split, _ = run(inline, f"sharded/{mode}:codec=fp32,assignment=round-robin")
    np.testing.assert_array_equal(split, unsplit)
    assert 0 < np.unpackbits(unsplit).mean() < 1  # masks that are all the same would prove nothing


@pytest.mark.parametrize("backup", ["copies=2", "hedge=1", "hedge=1,backup=edge",
                                    "enough=1,backup=edge,piece=1"])  # fmt: skip
def test_whoever_helps_the_masks_are_the_same(inline, backup):
    """Here everybody's answer comes, one after the other; none may differ."""
    unsplit, _ = run(inline, "local")
    helped, _ = run(inline, f"sharded/exact:codec=fp32,assignment=round-robin,{backup}")
    np.testing.assert_array_equal(helped, unsplit)


def test_another_function_or_a_coarse_codec_gives_other_masks(inline):
    unsplit, _ = run(inline, "local")
    for policy in ("sharded/deferred:codec=fp32", "sharded/exact:codec=int4"):
        assert (run(inline, policy)[0] != unsplit).any()


def test_every_transfer_is_there_as_its_bytes_and_as_what_was_read_of_them(inline):
    plan = plan_of("sharded/exact:codec=int8")
    _, sent = inline.run(plan, given(), (ORIGIN, MASK))
    assert [each.transfer for each in sent] == [s for s in plan.steps if isinstance(s, Transfer)]
    for each in sent:
        assert each.data.size == each.transfer.size_bytes
        if each.transfer.payload.elements:
            np.testing.assert_array_equal(encode(each.array, "int8"), each.data)
    steps = [each.transfer for each in sent]
    assert sights(steps, STAR) == sights(plan.steps, STAR)
    assert any(isinstance(step, Compute) for step in plan.steps)


def test_nothing_is_left_behind_even_where_it_fails(inline):
    run(inline, "sharded/exact")
    with pytest.raises(StepError, match="captured image"):
        inline.run(plan_of("sharded/exact"), (), (ORIGIN, MASK))
    with pytest.raises(StepError):  # what the runs before had brought along is gone
        inline.run(plan_of("local"), given()[1:], (ORIGIN, MASK))
