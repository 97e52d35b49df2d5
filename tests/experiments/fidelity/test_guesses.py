from experiments.fidelity.guesses import accepting, fitted_acceptance
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator

ONE = ("workload.requests=3", "replications=1", "workload.arrivals={kind: closed, clients: 1}")


def test_how_often_guesses_held_is_found_again():
    settings = [*ONE, "workload.text.acceptance=0.6"]
    scenario = load("llama2-7b-jetson-cloud", settings, "lambda-split:draft=4")
    found = fitted_acceptance([Simulator().run(scenario)])
    assert abs(found.probability - 0.6) < 0.05
    plain = load("llama2-7b-jetson-cloud", list(ONE), "lambda-split:draft=4")
    assert accepting(plain, found).workload.model.acceptance == found


def test_all_and_none_are_probabilities_too():
    for probability in (0.0, 1.0):
        settings = [*ONE, f"workload.text.acceptance={probability}"]
        scenario = load("llama2-7b-jetson-cloud", settings, "lambda-split:draft=2")
        found = fitted_acceptance([Simulator().run(scenario)])
        assert abs(found.probability - probability) < 1e-6


def test_who_guesses_nothing_tells_nothing():
    scenario = load("llama2-7b-jetson-cloud", list(ONE), "lambda-split")
    assert fitted_acceptance([Simulator().run(scenario)]) is None
    assert accepting(scenario, None) is scenario
