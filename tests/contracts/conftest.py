"""Every runner there is; each must pass every contract."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from sim.engine.simulator import Simulator
from sim.runner import Runner, Scenario
from sim.trace import Sink, Trace
from tests.emulating import why_not

About = Callable[[float], Any]
"""What a moment is compared with: to the last bit in simulated time, loosely in real time."""

REAL = "real, synthetic nodes"
USERSPACE = "real, emulated links"


@pytest.fixture(scope="session")
def real_runner() -> Iterator[Runner]:
    """The real runner with workers that compute nothing; they outlive a test, as they may a run."""
    pytest.importorskip("grpc", reason="pip install 'tessera[real]'")
    from real_runner.deployment import Deployment, NodeSpec
    from real_runner.runner import RealRunner

    with RealRunner(Deployment(default=NodeSpec(executor="synthetic"))) as runner:
        yield runner


@pytest.fixture(params=["simulator", REAL])
def runner(request: pytest.FixtureRequest) -> Runner:
    if request.param == REAL:
        return request.getfixturevalue("real_runner")
    return Simulator()


@pytest.fixture
def about(runner: Runner) -> About:
    loosely_s = None if isinstance(runner, Simulator) else 0.35
    return lambda moment_s: pytest.approx(moment_s, abs=loosely_s)


class Persistent:
    """Runs again what was refused, since links that were late say nothing about a contract."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        from real_runner.errors import RunRefusedError

        for _ in range(3):
            with suppress(RunRefusedError):
                return self._runner.run(scenario, replication, sink)
        return self._runner.run(scenario, replication, sink)


@pytest.fixture(scope="session")
def userspace_runner() -> Iterator[Runner]:
    """The real runner over links of its own, whose rates and delays are the topology's."""
    pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")
    from real_runner.deployment import Deployment, NodeSpec
    from real_runner.runner import RealRunner

    if reason := why_not():
        pytest.skip(reason)
    synthetic = Deployment(default=NodeSpec(executor="synthetic"))
    with RealRunner(synthetic, links="userspace") as runner:
        yield Persistent(runner)


@pytest.fixture(params=["simulator", USERSPACE])
def shaping_runner(request: pytest.FixtureRequest) -> Runner:
    """Runners whose links are as the topology says; loopback connections are not."""
    if request.param == USERSPACE:
        return request.getfixturevalue("userspace_runner")
    return Simulator()


@pytest.fixture
def shaped(shaping_runner: Runner) -> About:
    """What a moment is compared with: real TCP needs a retransmission or two after an outage."""
    loosely_s = None if isinstance(shaping_runner, Simulator) else 0.49
    return lambda moment_s: pytest.approx(moment_s, abs=loosely_s)
