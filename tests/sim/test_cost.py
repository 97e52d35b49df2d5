import pytest

from sim.cost import Roofline, activation_bytes, batched
from tests.conftest import device
from topologies.errors import TopologyError
from workloads.stage import Stage


def test_a_stage_is_bound_by_arithmetic_or_by_memory() -> None:
    gpu = device("g", 1e12, memory_bandwidth_bytes_per_s=1e9, efficiency=0.5)
    cost = Roofline()
    assert cost.seconds(Stage("s", flops=1e12, memory_bytes=1e9), gpu) == 2.0
    assert cost.seconds(Stage("s", flops=1e12, memory_bytes=4e9), gpu) == 4.0


def test_each_launch_adds_its_overhead() -> None:
    gpu = device("g", 1e12, launch_overhead_s=0.25)
    assert Roofline().seconds(Stage("s", 1e12, 0.0, launches=4), gpu) == 2.0


def test_a_precision_that_the_device_lacks_is_named() -> None:
    with pytest.raises(TopologyError, match="int4"):
        Roofline().seconds(Stage("s", 1.0, 1.0, precision="int4"), device("g", 1e12))


def test_a_batch_reads_weights_and_launches_kernels_once() -> None:
    gpu = device("g", 1e12, memory_bandwidth_bytes_per_s=1e9, launch_overhead_s=0.25)
    stage = Stage("s", flops=1e11, memory_bytes=3e9, launches=2, weight_bytes=2e9)
    four = batched(stage, 4)
    assert (four.memory_bytes, four.weight_bytes, activation_bytes(four)) == (6e9, 2e9, 4e9)
    assert Roofline().seconds(stage, gpu) == 3.5
    assert Roofline().seconds(four, gpu) == 6.5
    assert batched(stage, 1) == stage
    assert Roofline().seconds(batched(stage, 4), gpu) < 4 * Roofline().seconds(stage, gpu)


def test_weights_larger_than_what_is_read_leave_no_activations() -> None:
    assert activation_bytes(Stage("s", 1.0, 1.0, weight_bytes=2.0)) == 0.0
    assert batched(Stage("s", 1.0, 1.0, weight_bytes=2.0), 8).memory_bytes == 1.0
