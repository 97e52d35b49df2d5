"""A node without a model sends what a real one would: as much, and nothing else."""

from itertools import chain

import pytest

from real_runner.executor import expected_shape, is_bytes
from real_runner.wire.codecs import encode
from real_runner.workers.synthetic import SyntheticExecutor
from sim.cost import Roofline
from sim.plan import Transfer
from sim.policies.sharded import Sharded
from sim.policy import UNTOUCHED, Estimates, View
from topologies.shipped import load
from workloads.images import Image
from workloads.sam.model import Sam
from workloads.sam.modes import MODES
from workloads.sam.variants import VARIANTS
from workloads.stage import Request


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("codec", ["fp32", "fp16", "int8", "int4"])
def test_every_payload_of_every_mode_has_the_size_that_plans_promise(mode: str, codec: str) -> None:
    topology = load("jetson-16-clouds")
    model = Sam(VARIANTS["vit-b"], Image(1280, 720, "jpeg"), precision="fp16")
    estimates = Estimates(
        topology, Roofline(), tuple(channel.rate_bits_per_s for channel in topology.channels)
    )
    view = View(0.0, 0.0, estimates, {}, ())
    plan = Sharded(mode, "round-robin", codec).plan(
        Request(0, 0.0, "jetson", model), UNTOUCHED, view
    )
    node = SyntheticExecutor()
    sent = {step.payload: step for step in plan.steps if isinstance(step, Transfer)}
    inputs = {model.captured: None, model.model_input: None, model.chain[-1].output: None}
    for payload in chain(sent, inputs):
        array = node.get(0, payload)
        assert array.shape == expected_shape(payload)
        assert array.any() == 0
        if is_bytes(payload):
            assert array.nbytes == round(payload.fixed_bytes)
        else:
            assert encode(array, codec).size == sent[payload].size_bytes
    assert len(sent) > 16
