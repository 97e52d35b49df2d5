import ast
import subprocess
import sys


def test_a_minute_of_a_small_city_answers_for_every_request() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.city", "60", "40"],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, third = done.stdout.splitlines()
    outcomes = ast.literal_eval(first.split(": ", 1)[1])
    assert sum(outcomes.values()) == 120
    assert outcomes["finished"] > 100
    assert second.startswith("p50 ")
    assert " steps in " in third
