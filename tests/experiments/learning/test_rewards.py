"""Rewards are paid as they come about, and come to the same as if paid at the end."""

import pytest

from experiments.learning.rewards import REWARDS, WORST, Earnings
from sim.trace import FINISHED, REFUSED, Outcome
from tests.conftest import TwoParts
from workloads.stage import Request

FIRST = Request(0, 1.0, "edge", TwoParts())
SECOND = Request(1, 2.0, "edge", TwoParts())


def earnings(name: str) -> Earnings:
    made = Earnings(REWARDS[name], deadline_s=0.5)
    made.begin(FIRST)
    return made


def ended(request: Request, end_s: float, outcome: str = FINISHED) -> Outcome:
    return Outcome(request, end_s, outcome, "")


def test_waiting_is_paid_for_while_it_lasts() -> None:
    found = earnings("latency")
    assert found.pay(2.0, ()) == -2.0
    found.begin(SECOND)
    assert found.pay(2.5, ()) == -1.0 - 1.0
    assert found.pay(3.0, [ended(FIRST, 2.75)]) == pytest.approx(-0.5 - 1.0)
    assert found.pay(4.0, [ended(SECOND, 3.0)]) == 0.0


def test_nothing_counts_more_than_the_worst() -> None:
    found = earnings("latency")
    assert found.pay(100.0, ()) == -WORST
    assert found.pay(200.0, [ended(FIRST, 150.0)]) == 0.0
    refused = earnings("latency")
    assert refused.pay(1.25, [ended(FIRST, 1.0, REFUSED)]) == -WORST


def test_being_late_is_paid_for_once_it_is_certain() -> None:
    found = earnings("in-time")
    assert found.pay(1.4, ()) == 0.0
    assert found.pay(1.6, ()) == -1.0
    assert found.pay(1.8, [ended(FIRST, 1.7)]) == 0.0
    assert earnings("in-time").pay(1.6, [ended(FIRST, 1.5)]) == 1.0
    assert earnings("in-time").pay(1.6, [ended(FIRST, 1.1, REFUSED)]) == -1.0
