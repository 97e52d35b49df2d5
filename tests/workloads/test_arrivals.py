import numpy as np
import pytest

from workloads.arrivals import Bursts, Camera, Closed, Poisson
from workloads.errors import WorkloadError
from workloads.replay import Replay

PROCESSES = [
    Camera(30),
    Camera(30, jitter_s=0.03),
    Poisson(20),
    Bursts(1, 50, mean_low_s=2, mean_high_s=0.5),
    Bursts(0, 50, mean_low_s=2, mean_high_s=0.5),
]


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_times_ascend_repeat_and_extend(process):
    times = process.times(np.random.default_rng(3), 500)
    assert times.shape == (500,)
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= 0
    np.testing.assert_array_equal(times, process.times(np.random.default_rng(3), 500))
    longer = process.times(np.random.default_rng(3), 1500)
    np.testing.assert_allclose(longer[:500], times, rtol=1e-12)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_mean_rate_is_kept_in_the_long_run(process):
    times = process.times(np.random.default_rng(5), 200_000)
    assert len(times) / times[-1] == pytest.approx(process.mean_rate_per_s, rel=0.02)


def test_poisson_gaps_are_exponential():
    gaps = np.diff(Poisson(4).times(np.random.default_rng(1), 100_000))
    assert gaps.mean() == pytest.approx(1 / 4, rel=0.02)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)
    assert np.mean(gaps > 0.5) == pytest.approx(np.exp(-2), abs=0.005)


def test_counts_of_bursts_have_the_dispersion_of_theory():
    # Index of dispersion for counts in the limit of long intervals (Fischer and
    # Meier-Hellstern, 1993): 1 + 2·(λ1 − λ2)²·r1·r2 / ((r1 + r2)²·(λ1·r2 + λ2·r1)).
    process = Bursts(2, 20, mean_low_s=1, mean_high_s=0.5)
    to_high, to_low = 1 / process.mean_low_s, 1 / process.mean_high_s
    weighted = process.low_per_s * to_low + process.high_per_s * to_high
    theory = 1 + 2 * 18**2 * to_high * to_low / ((to_high + to_low) ** 2 * weighted)
    times = process.times(np.random.default_rng(2), 400_000)
    counts = np.histogram(times, np.arange(0, times[-1], 40.0))[0]
    assert counts.var() / counts.mean() == pytest.approx(theory, rel=0.12)
    poisson = Poisson(process.mean_rate_per_s).times(np.random.default_rng(2), 400_000)
    calm = np.histogram(poisson, np.arange(0, poisson[-1], 40.0))[0]
    assert calm.var() / calm.mean() != pytest.approx(theory, rel=0.12)


def test_a_camera_without_jitter_is_a_clock():
    times = Camera(10, phase_s=0.05).times(np.random.default_rng(0), 3)
    assert times.tolist() == pytest.approx([0.05, 0.15, 0.25])


def test_a_staggered_camera_starts_within_one_period():
    rng = np.random.default_rng(0)
    phases = [Camera(10).staggered(rng).phase_s for _ in range(1000)]
    assert 0 <= min(phases) < 0.001
    assert 0.099 < max(phases) < 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Camera(0), "camera.rate_per_s: 0; give a positive, finite number"),
        (lambda: Camera(float("nan")), "camera.rate_per_s: nan"),
        (lambda: Camera(10, 0.1), "camera.jitter_s: 0.1; .* less than one period, 0.1 s"),
        (lambda: Camera(10, -0.1), "camera.jitter_s: -0.1; give at least 0"),
        (lambda: Camera(10, 0, -1), "camera.phase_s: -1; give a finite time from 0 on"),
        (lambda: Poisson(-2), "poisson.rate_per_s: -2; give a positive, finite number"),
        (lambda: Bursts(1, 0, 1, 1), "bursts.high_per_s: 0; give a positive"),
        (lambda: Bursts(1, 2, 0, 1), "bursts.mean_low_s: 0; give a positive"),
        (lambda: Bursts(1, 2, 1, float("inf")), "bursts.mean_high_s: inf; give a positive"),
        (lambda: Closed(0), "closed.clients: 0; give at least 1"),
        (lambda: Closed(1, -1), "closed.think_s: -1; give a finite time from 0 on"),
        (lambda: Bursts(3, 2, 1, 1), "bursts.low_per_s: 3; give at least 0 and at most high_per_s"),
    ],
)
def test_impossible_processes_are_refused(make, message):
    with pytest.raises(WorkloadError, match=message):
        make()


def test_of_a_closed_loop_only_the_first_times_are_known():
    loop = Closed(3, think_s=1.0)
    assert loop.times(np.random.default_rng(0), 5).tolist() == [0, 0, 0]
    assert loop.times(np.random.default_rng(0), 2).tolist() == [0, 0]
    assert loop.mean_rate_per_s is None
    assert loop.staggered(np.random.default_rng(0)) is loop


@pytest.fixture
def file_of(tmp_path):
    def write(text):
        path = tmp_path / "times.txt"
        path.write_text(text)
        return path

    return write


def test_a_replay_returns_the_files_times(file_of):
    process = Replay(file_of("0\n0.5\n0.5\n2e0\n"))
    assert process.times(np.random.default_rng(0), 3).tolist() == [0, 0.5, 0.5]
    assert process.mean_rate_per_s == 1.5
    assert process.staggered(np.random.default_rng(0)) is process
    assert Replay(file_of("1\n")).mean_rate_per_s is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"times.txt: empty; give one time in seconds per line"),
        ("0\nsoon\n", r"times.txt:2: 'soon'; give a time in seconds from 0 on"),
        ("0\n\n1\n", r"times.txt:2: ''; give a time"),
        ("-1\n", r"times.txt:1: '-1'; give a time"),
        ("nan\n", r"times.txt:1: 'nan'; give a time"),
        ("0\n3\n2\n", r"times.txt:3: 2 follows 3; sort the times"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(file_of, text, message):
    with pytest.raises(WorkloadError, match=message) as caught:
        Replay(file_of(text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_too_few_times_are_refused(file_of, tmp_path):
    with pytest.raises(WorkloadError, match=r"nowhere.txt: cannot be read"):
        Replay(tmp_path / "nowhere.txt")
    with pytest.raises(WorkloadError, match=r"times.txt: 3 times are needed and the file holds 2"):
        Replay(file_of("0\n1\n")).times(np.random.default_rng(0), 3)
