from sim.critical import critical_steps
from sim.plan import Compute, Plan
from sim.trace import HAS_FINISHED, NEVER_BEGUN
from workloads.stage import Stage

STAGE = (Stage("s", 1.0, 1.0),)
RACE = Plan((Compute("a", STAGE), Compute("b", STAGE), Compute("a", STAGE, (0, 1), 1)))


def test_the_path_follows_whoever_was_late() -> None:
    plan = Plan(
        (
            Compute("a", STAGE),
            Compute("b", STAGE, (0,)),
            Compute("c", STAGE, (0,)),
            Compute("a", STAGE, (1, 2)),
        )
    )
    states = [HAS_FINISHED] * 4
    assert critical_steps(plan, [0.0, 1.0, 1.0, 4.0], [1.0, 4.0, 3.0, 5.0], states) == [0, 1, 3]


def test_of_a_race_the_winner_counts() -> None:
    states = [HAS_FINISHED, NEVER_BEGUN, HAS_FINISHED]
    assert critical_steps(RACE, [0.0, 0.0, 1.0], [1.0, 0.0, 2.0], states) == [0, 2]


def test_a_loser_that_finished_later_held_nobody_up() -> None:
    assert critical_steps(RACE, [0.0, 0.0, 1.0], [1.0, 1.5, 2.0], [HAS_FINISHED] * 3) == [0, 2]


def test_nothing_finished_means_no_path() -> None:
    assert critical_steps(RACE, [0.0] * 3, [0.0] * 3, [NEVER_BEGUN] * 3) == []
