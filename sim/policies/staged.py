"""A chain of stages, each on a node of its own choice, as a plan."""

from collections.abc import Sequence
from itertools import groupby

from sim.plan import Plan, PlanBuilder
from sim.policies.placement import Job, answer_from, chain_payloads, chain_stages, fetch_to


def staged_plan(job: Job, edge: str, nodes: Sequence[str], codec: str) -> Plan:
    """Return the plan that runs each stage of the chain on its node, of ``nodes`` in order.

    The input is prepared at ``edge``; what passes from node to node is written with ``codec``.
    """
    builder, stages, payloads = PlanBuilder(), chain_stages(job.model), chain_payloads(job.model)
    ready, last = fetch_to(builder, job, edge), edge
    for node, places in groupby(range(len(stages)), key=nodes.__getitem__):
        part = tuple(places)
        arrived = builder.transfer(last, node, payloads[part[0]], codec, ready)
        ready = builder.compute(node, tuple(stages[place] for place in part), arrived)
        last = node
    return answer_from(builder, job, last, ready)
