"""What an agent sees is what the view says, in the order that the names tell."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from experiments.learning.features import Features, squashed
from sim.cost import Roofline
from sim.policy import Estimates, View
from tests.conftest import TwoParts, small_topology
from workloads.stage import Request

TOPOLOGY = small_topology()
RATES = tuple(channel.rate_bits_per_s for channel in TOPOLOGY.channels)
IDLE = {"edge": 0.0, "a": 0.0, "b": 0.0}
BELIEVED = Estimates(TOPOLOGY, Roofline(), RATES)
VIEW = View(1.0, 0.0, BELIEVED, IDLE, (0,) * len(RATES))
FEATURES = Features(TOPOLOGY, ("edge",), deadline_s=0.5)


def seen(view: View, since_s: float = inf, features: Features = FEATURES) -> dict[str, float]:
    found = features.of(Request(0, 1.0, "edge", TwoParts()), view, since_s)
    assert found.dtype == np.float32
    return dict(zip(features.names, found.tolist(), strict=True))


def changed(view: View, since_s: float = inf) -> dict[str, float]:
    """Return what differs from an idle world."""
    idle = seen(VIEW)
    return {name: value for name, value in seen(view, since_s).items() if value != idle[name]}


def test_an_idle_world_has_full_rates_and_nothing_else() -> None:
    for name, value in seen(VIEW).items():
        kind = name.split(" ")[0]
        assert value == {"rate": 0.5, "up": 1.0, "since": 1.0}.get(kind, 0.0), name


def test_each_number_is_of_what_its_name_says() -> None:
    assert changed(replace(VIEW, backlog_s=IDLE | {"b": 1.5})) == {"backlog b": 0.75}
    flows = tuple(3 if (c.source, c.target) == ("router", "a") else 0 for c in TOPOLOGY.channels)
    assert changed(replace(VIEW, channel_flows=flows)) == {"flows router->a": 0.75}
    assert changed(replace(VIEW, age_s=0.5)) == {"age": 0.5}
    assert changed(VIEW, since_s=0.5) == {"since": 0.5}
    gone = replace(VIEW, estimates=replace(BELIEVED, down=frozenset({"a"})))
    assert changed(gone) == {"up a": 0.0}
    out = replace(VIEW, estimates=replace(BELIEVED, channel_bits_per_s=(0.0, *RATES[1:])))
    first = TOPOLOGY.channels[0]
    assert changed(out) == {f"rate {first.source}->{first.target}": 0.0}


def test_only_several_origins_are_told_apart() -> None:
    several = replace(FEATURES, origins=("edge", "a"))
    assert set(several.names) - set(FEATURES.names) == {"from edge", "from a"}
    assert seen(VIEW, features=several)["from edge"] == 1.0


@pytest.mark.parametrize("value", [0.0, 1e-9, 3.0, 1e9, inf])
def test_nothing_is_too_large(value: float) -> None:
    assert 0.0 <= squashed(value) <= 1.0
