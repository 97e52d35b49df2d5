"""How long work is believed to wait at a node, from what was seen of its load a while ago.

Load that was seen is worth less the older it is: who believes it as if it were new sends all to
whoever looked idle, for as long as the look is old (Mitzenmacher 2000, "How useful is old
information?", doi 10.1109/71.824633). So it is discounted towards what clouds have on average, as
Dahlin has it for loads of unknown change (2000, "Interpreting stale load information", doi
10.1109/71.888641).
"""

from collections.abc import Mapping
from math import exp, inf
from types import MappingProxyType
from typing import Final

from sim.policy import View

NO_WAITING: Final[Mapping[str, float]] = MappingProxyType({})


def waits_s(view: View, trust_s: float) -> Mapping[str, float]:
    """Return for each cloud how long work that comes to it now is believed to wait.

    Of what was seen ``age_s`` ago, and has been worked at since, a part of e^(-age_s / trust_s) is
    believed; for the rest clouds are taken to be all alike. ``trust_s`` may be endless.
    """
    clouds = [cloud.name for cloud in view.topology.clouds if cloud.name in view.backlog_s]
    if not clouds:
        return NO_WAITING
    seen_s = {name: max(0.0, view.backlog_s[name] - view.age_s) for name in clouds}
    typical_s = sum(seen_s.values()) / len(seen_s)
    believed = 1.0 if trust_s == inf else exp(-view.age_s / trust_s)
    return {name: typical_s + believed * (each_s - typical_s) for name, each_s in seen_s.items()}
