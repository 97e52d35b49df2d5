"""The option ``--dilation``, and what finds its value where that is ``auto``."""

from collections.abc import Sequence
from math import inf, nan
from typing import Annotated

import typer

from experiments.cli.options import show
from experiments.dilation.bounds import bounds, enough
from experiments.dilation.carrying import carried_bits_per_s
from experiments.dilation.rehearsal import rehearse
from experiments.workplaces import Links, open_runner
from real_runner.deployment import Deployment
from sim.errors import ScenarioError
from sim.runner import Scenario

AUTO = "auto"

DilationOption = Annotated[
    str,
    typer.Option(
        "--dilation",
        metavar="K|auto",
        help="Let everything last K times as long, links and devices alike, and divide all times "
        "told by K; auto: the smallest at which this machine can stand in for the topology, by a "
        "rehearsal.",
    ),
]


def settle_dilation(
    text: str,
    scenarios: Sequence[Scenario],
    deployment: Deployment,
    links: Links,
    *,
    secure: bool,
    quiet: bool,
) -> float:
    """Return the dilation that ``text`` asks for; `ScenarioError` where it asks for none.

    What bound one that is found by itself is printed, unless ``quiet``.
    """
    if text != AUTO:
        return _factor(text)
    if links is Links.EXTERNAL:
        raise ScenarioError(
            "--dilation auto: external links are as they are, and cannot be slowed; leave it out"
        )
    _require_paced(scenarios[0], deployment)
    with open_runner(Links.LOOPBACK, deployment, secure=secure) as runner:
        rehearsal = rehearse(scenarios, runner)
    computing = [
        node.name
        for node in scenarios[0].topology.nodes
        if deployment.of(node.name).executor == "torch"
    ]
    carried = None if links is Links.LOOPBACK else carried_bits_per_s(links)
    found = sorted(bounds(rehearsal, computing, carried), key=lambda bound: -bound.least)
    dilation = enough(found)
    if not quiet:
        show(f"Dilation {dilation:g}, bound by {found[0].what}")
        show(*(f"  {each.what} needs {each.least:.2g}: {each.reason}" for each in found))
    return dilation


def _require_paced(scenario: Scenario, deployment: Deployment) -> None:
    from real_runner.orchestration.dilation import refuse_native  # noqa: PLC0415 - extra [real]

    specs = {node.name: deployment.of(node.name) for node in scenario.topology.nodes}
    paced = [n for n, s in specs.items() if s.pace == "profile" or s.executor == "synthetic"]
    refuse_native(scenario.topology, paced)


def _factor(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not 1 <= found < inf:
        raise ScenarioError(f"--dilation {text!r}: give a factor of at least 1, e.g. 10, or {AUTO}")
    return found
