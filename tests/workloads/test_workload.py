from dataclasses import dataclass

import numpy as np
import pytest

from workloads.arrivals import Bursts, Camera, Closed, Poisson
from workloads.catalogue import Text, model_named, workload_named
from workloads.errors import WorkloadError
from workloads.lengths import Uniform
from workloads.replay import Replay
from workloads.workload import Workload

MODEL = model_named("sam-small")
ORIGINS = [f"edge-{index}" for index in range(5)]
PROCESSES = [Camera(10), Camera(10, jitter_s=0.05), Poisson(10), Bursts(1, 30, 2, 1)]


def drawn(arrivals, requests, origins=ORIGINS, seed=7):
    return Workload(MODEL, arrivals, requests).requests_from(origins, np.random.default_rng(seed))


@pytest.mark.parametrize("arrivals", PROCESSES, ids=repr)
def test_requests_are_numbered_in_time_order_and_repeat(arrivals):
    requests = drawn(arrivals, 300)
    times = [request.arrival_s for request in requests]
    assert times == sorted(times)
    assert [request.index for request in requests] == list(range(300))
    assert {request.origin for request in requests} == set(ORIGINS)
    assert requests == drawn(arrivals, 300)
    assert all(request.model is MODEL for request in requests)


@pytest.mark.parametrize("arrivals", PROCESSES[2:], ids=repr)
def test_another_seed_makes_other_times(arrivals):
    assert drawn(arrivals, 50) != drawn(arrivals, 50, seed=8)


@pytest.mark.parametrize("arrivals", PROCESSES, ids=repr)
@pytest.mark.parametrize("requests", [1, 7, 100])
def test_fewer_requests_are_the_first_of_more(arrivals, requests):
    few, many = drawn(arrivals, requests), drawn(arrivals, 1000)
    for one, other in zip(few, many[:requests], strict=True):
        assert one.origin == other.origin
        assert one.arrival_s == pytest.approx(other.arrival_s, rel=1e-12)


def test_streams_of_origins_are_independent_and_add_up():
    requests = drawn(Poisson(10), 50_000)
    assert len(requests) / requests[-1].arrival_s == pytest.approx(50, rel=0.02)
    counts = [sum(r.origin == origin for r in requests) for origin in ORIGINS]
    assert counts == pytest.approx([10_000] * 5, rel=0.05)


def test_cameras_do_not_fire_together_and_the_first_starts_at_once():
    requests = drawn(Camera(10), 50)
    assert requests[0].arrival_s == 0
    assert requests[0].origin == "edge-0"
    assert len({round(r.arrival_s % 0.1, 9) for r in requests if r.arrival_s < 0.1}) == 5


def test_equal_times_are_in_the_order_of_the_origins(tmp_path):
    path = tmp_path / "times.txt"
    path.write_text("0\n1\n2\n")
    requests = drawn(Replay(path), 5, origins=["b", "a"])
    assert [(r.arrival_s, r.origin) for r in requests] == [
        (0, "b"), (0, "a"), (1, "b"), (1, "a"), (2, "b"),
    ]  # fmt: skip


def test_a_quiet_origin_does_not_hide_the_requests_of_a_busy_one():
    @dataclass(frozen=True)
    class SlowerElsewhere:
        rate_per_s: float = 100.0
        mean_rate_per_s: float | None = None

        def times(self, rng, count):
            return Poisson(self.rate_per_s).times(rng, count)

        def staggered(self, rng):
            del rng
            return SlowerElsewhere(1.0)

    requests = drawn(SlowerElsewhere(), 1000, origins=["busy", "quiet"])
    assert sum(r.origin == "busy" for r in requests) == pytest.approx(990, abs=12)


def test_impossible_workloads_are_refused():
    with pytest.raises(WorkloadError, match=r"workload\.requests: 0; give at least 1"):
        Workload(MODEL, Poisson(1), 0)
    for origins in ([], ["a", "a"]):
        with pytest.raises(WorkloadError, match=r"origins: .*give at least one name"):
            drawn(Poisson(1), 3, origins=origins)


def test_a_closed_loop_begins_with_one_request_per_client_in_turns_by_origin():
    requests = drawn(Closed(2), 300)
    assert [request.origin for request in requests] == ORIGINS * 2
    assert {request.arrival_s for request in requests} == {0.0}
    assert len(drawn(Closed(2), 7)) == 7


def test_lengths_are_drawn_per_request_and_repeat_whatever_else_is_drawn():
    text = Text(16, Uniform(1, 1000))
    workload = workload_named("llama2-7b", Poisson(1), 200, text=text)
    lengths = [model.output_tokens for model in workload.models(np.random.default_rng(7))]
    assert len(set(lengths)) > 100
    assert lengths == [m.output_tokens for m in workload.models(np.random.default_rng(7))]
    both = workload_named(
        "llama2-7b", Poisson(1), 200, text=Text(Uniform(2, 3), Uniform(1, 1000))
    ).models(np.random.default_rng(7))
    assert {model.prompt_tokens for model in both} == {2, 3}


def test_a_workload_of_one_model_draws_none():
    assert Workload(MODEL, Poisson(1), 5).models(np.random.default_rng(7)) == ()
