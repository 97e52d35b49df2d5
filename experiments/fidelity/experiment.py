"""The experiment on fidelity: fit on some cuts, freeze, predict others, run those, compare.

What is predicted is never what was fitted to: no policy is in both lists, and predictions are made
in a world that was fitted to the training runs alone, written to files and read back. Every tested
policy is run for real twice on the same requests; how far the second run is from the first is what
no prediction can be expected to beat.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.campaign import Replications
from experiments.fidelity.beliefs import as_believed, in_world
from experiments.fidelity.errors import Errors, Results, errors
from experiments.fidelity.fit import (
    FittedWorld,
    counted_from,
    device_names,
    fit_world,
    freeze,
    thaw,
)
from experiments.fidelity.guesses import accepting
from experiments.fidelity.readiness import FromReady
from experiments.results import TIMELINE, ResultFolder
from experiments.timeline import together
from real_runner.deployment import Deployment
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.plan import Compute
from sim.runner import Runner, Scenario
from sim.tables import Tables
from sim.trace import FAILED, REFUSED, Trace
from topologies.writing import write_text

Advance = Callable[[], None]
_World = dict[str, Results]
"""Results by policy."""


@dataclass(frozen=True)
class Tested:
    """One policy that the fit had not seen: its prediction's error beside reality's own spread."""

    policy: str
    errors: Errors
    spread: Errors


@dataclass(frozen=True)
class Fidelity:
    """What came out: the fitted world, each policy tested, and all of them together."""

    trained: tuple[str, ...]
    world: FittedWorld
    tested: tuple[Tested, ...]
    together: Tested


@dataclass(frozen=True)
class Experiment:
    """``train`` and ``test`` are one scenario under different policies; ``real`` runs it for real.

    ``warm_up`` requests of each run are left out on both sides. ``document`` is the scenario as
    written, for the manifests of the results. Raises `ScenarioError` where a
    policy is in both lists, or one of them is empty.
    """

    train: Sequence[Scenario]
    test: Sequence[Scenario]
    deployment: Deployment
    real: Runner
    document: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        trained = {scenario.policy_name for scenario in self.train}
        if not self.train or not self.test:
            raise ScenarioError("compare: give at least one policy to train on and one to predict")
        for scenario in self.test:
            if scenario.policy_name in trained:
                raise ScenarioError(
                    f"compare: {scenario.policy_name} is both fitted to and predicted, which "
                    "proves nothing; leave it out of --train or of --policy"
                )

    @property
    def runs(self) -> int:
        """How many replications are run for real."""
        of = sum(scenario.replications for scenario in self.train)
        return of + REPEATS * sum(scenario.replications for scenario in self.test)

    def conduct(self, folder: Path, advance: Advance = lambda: None) -> Fidelity:
        """Run everything, and leave the fitted world and both worlds' results in ``folder``.

        Replications of all policies take turns, so that a machine that is busy for a while is so
        for all of them; the fit is made of the training runs alone.
        """
        self._check_trained()
        real = FromReady(self.real)
        traces: dict[str, list[Trace]] = {scenario.policy_name: [] for scenario in self.train}
        with ExitStack() as stack:
            tested = [as_believed(scenario) for scenario in self.test]
            repeats = [
                _Runs(tested, real, stack.enter_context(ResultFolder(folder / f"real-{n + 1}")))
                for n in range(REPEATS)
            ]
            for replication in range(self.test[0].replications):
                for scenario in self.train:
                    traces[scenario.policy_name].append(_trained(real, scenario, replication))
                    advance()
                for repeat in repeats:
                    repeat.run_next(advance)
            measured = [repeat.complete(self.document) for repeat in repeats]
        world = fit_world(self.train[0], self.deployment, traces)
        freeze(world, folder / "fitted")
        predicted = self._predict(world, folder)
        _join_timelines(folder)
        return _judged([s.policy_name for s in self.train], world, predicted, measured)

    def _check_trained(self) -> None:
        """Raise `ScenarioError` where a policy to be predicted runs what no training run does."""
        names = device_names(self.test[0].topology, self.deployment)
        known = {each for scenario in self.train for each in _kinds(scenario, names)}
        for scenario in self.test:
            if unknown := _kinds(scenario, names) - known:
                device, kind = min(unknown)
                raise ScenarioError(
                    f"compare: {scenario.policy_name} runs {kind!r} on {device!r}, which none of "
                    "the policies trained on does; add one with --train"
                )

    def _predict(self, world: FittedWorld, folder: Path) -> _World:
        topology, cost = thaw(world, folder / "fitted")
        with ResultFolder(folder / "sim") as results:
            texts = [accepting(scenario, world.acceptance) for scenario in self.test]
            scenarios = [in_world(scenario, topology, cost) for scenario in texts]
            runs = _Runs(scenarios, Simulator(), results)
            for _ in range(self.test[0].replications):
                runs.run_next()
            return runs.complete(self.document)


def _join_timelines(folder: Path) -> None:
    """Put what was predicted and what was first run for real into one timeline, for Perfetto."""
    each = [folder / world / TIMELINE for world in ("sim", "real-1")]
    events = together(json.loads(path.read_text(encoding="utf-8"))["traceEvents"] for path in each)
    write_text(json.dumps({"traceEvents": events}, indent=1) + "\n", folder / TIMELINE)


class _Runs:
    """The replications of some scenarios in one world, so far, and the folder they go to."""

    def __init__(self, scenarios: Sequence[Scenario], runner: Runner, folder: ResultFolder) -> None:
        self._folder = folder
        self._scenarios = scenarios
        self._seen: list[list[Tables]] = [[] for _ in scenarios]
        self._replications = [
            Replications(scenario, runner, folder, seen.append)
            for scenario, seen in zip(scenarios, self._seen, strict=True)
        ]

    def run_next(self, advance: Advance = lambda: None) -> None:
        """Run one more replication of each."""
        for replications in self._replications:
            replications.run_next()
            advance()

    def complete(self, document: Mapping[str, Any]) -> _World:
        """Complete the folder and return the results by policy."""
        names = [scenario.policy_name for scenario in self._scenarios]
        self._folder.complete(self._scenarios[0].name, document, names)
        return {
            scenario.policy_name: Results.of(scenario.policy_name, seen, counted_from(scenario))
            for scenario, seen in zip(self._scenarios, self._seen, strict=True)
        }


def _trained(real: Runner, scenario: Scenario, replication: int) -> Trace:
    """Return a training run; `ScenarioError` where a request of it came to nothing."""
    trace = real.run(as_believed(scenario), replication)
    for outcome in trace.outcomes:
        if outcome.outcome in {FAILED, REFUSED}:
            raise ScenarioError(
                f"compare: under {scenario.policy_name} request {outcome.request.index} "
                f"{outcome.outcome}: {outcome.reason}; nothing can be fitted to that"
            )
    return trace


def _kinds(scenario: Scenario, names: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the devices and kinds of stage that a scenario's first request runs."""
    first = replace(scenario, workload=replace(scenario.workload, requests=1), warm_up=0)
    steps = [step for plan in Simulator().run(first).plans for step in plan.steps]
    return {
        (names[step.node], stage.kind)
        for step in steps
        if isinstance(step, Compute)
        for stage in step.stages
    }


REPEATS = 2
"""How often each tested policy is run for real: two tell how far reality is from itself."""


def _judged(
    trained: Sequence[str], world: FittedWorld, predicted: _World, repeats: Sequence[_World]
) -> Fidelity:
    first, second = repeats
    tested = [
        Tested(name, errors(predicted[name], first[name]), errors(second[name], first[name]))
        for name in predicted
    ]
    ours, one, other = (Results.joined(each.values()) for each in (predicted, first, second))
    together = Tested("all", errors(ours, one), errors(other, one))
    return Fidelity(tuple(trained), world, tuple(tested), together)
