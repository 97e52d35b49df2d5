"""Which ways of serving real workers refuse, in words."""

import pytest

pytest.importorskip("grpc", reason="pip install 'tessera[real]'")

from real_runner.orchestration.serving import refuse_what_no_worker_does
from sim.errors import ScenarioError
from topologies.device import device_named
from topologies.nodes import Node
from topologies.serving import Batching, MemoryLimit, NoiseModel, Serving


@pytest.mark.parametrize(
    "serving",
    [
        Serving(),
        Serving(batch=Batching(4, 0.01)),
        Serving(memory=MemoryLimit(caches_bytes=10)),
        Serving(batch=Batching(2), memory=MemoryLimit(caches_bytes=10)),
        Serving(memory=MemoryLimit()),
    ],
)
def test_order_batches_and_bounded_caches_are_served(serving):
    refuse_what_no_worker_does(Node("n", "cloud", device_named("t4"), serving=serving))


@pytest.mark.parametrize(
    "serving",
    [
        Serving("priority"),
        Serving(limit=3),
        Serving(interference=0.1),
        Serving(noise=NoiseModel(cv=0.1)),
        Serving(memory=MemoryLimit(10**9)),
        Serving(memory=MemoryLimit(working=0.5, caches_bytes=10)),
        Serving(batch=Batching(2), limit=9),
    ],
)
def test_anything_else_is_refused_by_name(serving):
    with pytest.raises(ScenarioError, match=r"node 'n': serving: real workers serve in order"):
        refuse_what_no_worker_does(Node("n", "cloud", device_named("t4"), serving=serving))
