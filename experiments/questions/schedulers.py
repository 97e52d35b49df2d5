"""Which assignment is best as load grows, and how near any comes to what is possible.

Run it as ``python -m experiments.questions.schedulers [SCENARIO] [FIGURE] [REPLICATIONS]
[--family NAME] [--loads R,…]``. The bound is of a request alone in the world
(`sim.policies.bound`): no assignment comes below it at any load.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from experiments.cli.options import ScenarioName
from experiments.questions.campaigns import swept
from experiments.questions.picture import drawn, look
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from sim.errors import PolicyError
from sim.policies.bound import least_latency_s
from sim.policies.placement import Job
from sim.policies.registry import policy_named
from sim.policies.sharded import Sharded
from sim.policy import Estimates

ASSIGNMENTS: Final = (
    "round-robin", "speed-proportional", "heft", "least-makespan", "speed-proportional,lanes=2",
    "speed-proportional,lanes=6,piece=1", "least-makespan,lanes=6,piece=1",
)  # fmt: skip
LOAD: Final = "workload.arrivals.rate_per_s"


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("schedulers.png"),
    replications: Replications = 2,
    family: Annotated[
        str, typer.Option(metavar="NAME", help="A sharded policy, without its assignment.")
    ] = "sharded/deferred:codec=int8",
    loads: Annotated[str, typer.Option(metavar="R,…", help="Requests a second.")] = "1.0,4.0,8.0",
) -> None:
    """Sweep assignments over load, print each one's gap to the bound, and plot it."""
    assigned = f"{family},assignment="
    bound_s = bound(scenario, assigned + ASSIGNMENTS[0])
    policies = [assigned + each for each in ASSIGNMENTS]
    rows = swept(scenario, policies, [f"{LOAD}={loads}"], [f"replications={replications}"])
    rows["gap"] = rows["p50_s"] / bound_s - 1
    rows["assignment"] = rows["policy"].str.removeprefix(assigned)
    print(f"No request of {family} can be answered within {1e3 * bound_s:.0f} ms.")
    print("Gap of the median to that:")
    table = rows.pivot_table(index="assignment", columns=LOAD, values="gap", sort=False)
    print(table.map("{:.1%}".format).to_string())
    with drawn(figure, 8, 4.5) as canvas:
        axes = canvas.subplots()
        for number, (name, cells) in enumerate(rows.groupby("assignment", sort=False)):
            axes.plot(cells[LOAD], 1e3 * cells["p50_s"], label=name, **look(number))
        axes.axhline(1e3 * bound_s, color="grey", linestyle="--", label="bound, idle")
        axes.set(xlabel="requests per second", ylabel="median latency, ms")
        axes.legend()


def bound(scenario: str, policy: str) -> float:
    """Return the least latency possible of a request of a scenario's first origin."""
    chosen, sharded = load(scenario), policy_named(policy)
    if not isinstance(sharded, Sharded):
        raise PolicyError(f"--family {policy}: the bound is of sharded policies; name one")
    rates = tuple(channel.rate_bits_per_s for channel in chosen.topology.channels)
    world = Estimates(chosen.topology, chosen.cost, rates)
    return least_latency_s(sharded, Job(chosen.workload.model, chosen.origins[0]), world)


if __name__ == "__main__":
    ask(main)
