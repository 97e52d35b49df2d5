"""How long a plan is going to take, as far as a view tells: for policies that choose plans."""

from collections import Counter
from math import inf

from sim.plan import Compute, Plan, Step, Transfer, Wait
from sim.policy import View


def forecast_s(plan: Plan, view: View) -> float:
    """Predict the seconds until a plan has ended, if it began now.

    Steps wait for what is queued at their node, and for the plan's own steps there. A channel
    carries the plan's transfers one after the other, at the part of its rate that they get beside
    the flows that it carries already: those that share it fairly from the same moment on end no
    later than that. Where nothing passes, it is endless.
    """
    world, topology = view.estimates, view.topology
    free_s, through_s = dict(view.backlog_s), dict[int, float]()
    own = Counter(channel for step in plan.steps for channel in _channels(step, view))
    ends_s = list[float]()
    for step, need in zip(plan.steps, plan.needs, strict=True):
        done_s = sorted(ends_s[earlier] for earlier in step.after)
        ready_s = done_s[need - 1] if done_s else 0.0
        if isinstance(step, Compute):
            begun_s = max(ready_s, free_s.get(step.node, 0.0))
            ends_s.append(begun_s + world.seconds(step.stages, step.node))
            device = topology.node(step.node).device
            if device is not None and device.slots == 1:
                free_s[step.node] = ends_s[-1]
            continue
        if isinstance(step, Wait):
            ends_s.append(ready_s + step.delay_s)
            continue
        sent_s = ready_s
        for channel in _channels(step, view):
            others = view.channel_flows[channel]
            rate = world.channel_bits_per_s[channel] * own[channel] / (own[channel] + others)
            begun_s = max(ready_s, through_s.get(channel, 0.0))
            through_s[channel] = begun_s + (step.size_bytes * 8 / rate if rate else inf)
            sent_s = max(sent_s, through_s[channel])
        ends_s.append(sent_s + world.way(step.source, step.target).delay_s)
    last_s = (end_s for end_s, later in zip(ends_s, plan.successors, strict=True) if not later)
    return max(last_s, default=0.0)  # who loses a race keeps nobody waiting


def _channels(step: Step, view: View) -> tuple[int, ...]:
    if not isinstance(step, Transfer):
        return ()
    return tuple(view.topology.route(step.source, step.target).channels)
