"""What the steps of a plan are in the simulator: worked out once per plan, when it is first met."""

from typing import Final, final

from sim.engine.execution import Haul, Pause, Price, Work
from sim.engine.servers.fifo import Fifo
from sim.engine.world import World
from sim.plan import Compute, Plan, Wait

_MOST: Final = 4096


@final
class PriceLists:
    """The price lists of plans met lately in ``world``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lists: dict[Plan, list[Price]] = {}

    def of(self, plan: Plan) -> list[Price]:
        """Return what each step takes; raises `PlanError` for one that its node cannot run."""
        found = self._lists.get(plan)
        if found is None:
            if len(self._lists) >= _MOST:
                self._lists.clear()  # a policy that makes plan after plan must not fill memory
            found = self._lists[plan] = self._price(plan)
        return found

    def _price(self, plan: Plan) -> list[Price]:
        world = self._world
        priced: list[Price] = []
        for step in plan.steps:
            if isinstance(step, Compute):
                job = world.pricer.job(step)
                device = world.devices[step.node]
                shares = not isinstance(device, Fifo)
                priced.append(Work(device, job, shares=shares, most_tokens=step.tokens))
            elif isinstance(step, Wait):
                priced.append(Pause(step.delay_s))
            else:
                coded = step.payload.elements > 0
                priced.append(
                    Haul(
                        step.source, step.target, step.size_bytes, coded=coded, fresh=step.fresh
                    )
                )  # fmt: skip
        return priced
