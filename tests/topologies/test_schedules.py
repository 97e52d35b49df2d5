"""Links that change: values, recorded traces, made-up ones, and what files say of them."""

import math
from pathlib import Path

import networkx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.device import device_named
from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.files import read_topology, write_topology
from topologies.graphml import read_graphml, write_graphml
from topologies.mahimahi import read_mahimahi, write_mahimahi
from topologies.markov import RADIOS, mean_share, radio_conditions, radio_schedule
from topologies.schedules import Schedule, even_schedule
from topologies.topology import Link, Node, Topology

PHONE = device_named("jetson-orin-nano-8gb")
NODES = (Node("a", "edge", PHONE), Node("b", "cloud", PHONE))
IN_YAML = """
name: two
nodes:
  - {name: a, role: edge, device: jetson-orin-nano-8gb}
  - {name: b, role: cloud, device: jetson-orin-nano-8gb}
links:
  - {source: a, target: b, rate: 100Mbit/s, delay: 20ms, %s}
"""


def two(**options) -> Topology:
    return Topology("two", NODES, (Link("a", "b", 1e8, 0.02, **options),))


def described(tmp_path: Path, options: str) -> Link:
    path = tmp_path / "two.yaml"
    path.write_text(IN_YAML % options)
    return read_topology(path).links[0]


def test_a_schedule_without_a_period_keeps_its_last_values():
    schedule = Schedule((0.0, 1.0), (8.0, 16.0), (0.1, 0.2))
    assert [schedule.rate_bits_per_s(t) for t in (0.0, 0.99, 1.0, 1e9)] == [8.0, 8.0, 16.0, 16.0]
    assert schedule.delay_s(5.0, otherwise_s=9.0) == 0.2
    assert list(schedule.steps()) == [(0.0, 0), (1.0, 1)]
    assert schedule.bits(0.5, 3.0) == 36.0


def test_without_delays_the_link_s_own_holds():
    assert Schedule((0.0,), (8.0,)).delay_s(1.0, otherwise_s=9.0) == 9.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (((), ()), "0 starts, 0 rates"),
        (((0.0,), (1.0, 2.0)), "1 starts, 2 rates"),
        (((0.0, 1.0), (1.0, 2.0), (0.1,)), "1 delays"),
        (((1.0,), (1.0,)), "begin at 0"),
        (((0.0, 0.0), (1.0, 2.0)), "let steps advance"),
        (((0.0, math.nan), (1.0, 2.0)), "let steps advance"),
        (((0.0,), (-1.0,)), "-1.0 is no rate or delay"),
        (((0.0,), (math.inf,)), "inf is no rate"),
        (((0.0,), (1.0,), (-0.1,)), "-0.1 is no rate or delay"),
        (((0.0, 2.0), (1.0, 2.0), (), 2.0), "the period is 2.0 s, but a step begins at 2.0 s"),
        (((0.0,), (0.0,)), "nothing would ever arrive"),
    ],
)
def test_impossible_schedules_are_refused(values, message):
    with pytest.raises(TopologyError, match=message):
        Schedule(*values)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=20), st.floats(0, 50), st.floats(0, 50))
@settings(max_examples=100)
def test_merging_equal_steps_changes_no_integral(rates, from_s, to_s):
    rates[0] = 1e6
    schedule = even_schedule(0.5, [rate for rate in rates for _ in range(2)])
    dense = Schedule(tuple(0.5 * i for i in range(2 * len(rates))),
                     tuple(r for r in rates for _ in range(2)), (), float(len(rates)))  # fmt: skip
    assert schedule.bits(from_s, to_s) == pytest.approx(dense.bits(from_s, to_s), rel=1e-9, abs=1)


def test_a_trace_becomes_the_rate_of_its_opportunities(tmp_path):
    path = tmp_path / "trace.up"
    path.write_text("1\n1\n4\n5\n10\n12\n")
    schedule = read_mahimahi(path, bin_s=0.005)
    packet = 12_000.0
    assert schedule.starts_s == (0.0, 0.005, 0.01)
    assert schedule.rates_bits_per_s == pytest.approx((4 * packet / 0.005, packet / 0.005,
                                                       packet / 0.002))  # fmt: skip
    assert schedule.period_s == 0.012


stamps = st.lists(st.integers(0, 400), min_size=1, max_size=300).map(sorted)


@given(stamps.filter(lambda found: found[-1] > 0), st.sampled_from([1, 7, 50, 1000]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_trace_delivers_at_each_bin_s_end_what_its_lines_do(tmp_path, found, bin_ms):
    path = tmp_path / "trace.up"
    path.write_text("".join(f"{stamp}\n" for stamp in found))
    schedule = read_mahimahi(path, bin_ms / 1000)
    ends_ms = [min(n * bin_ms, found[-1]) for n in range(1, -(-found[-1] // bin_ms) + 1)]
    for rounds in (0, 1, 5):
        for end_ms in ends_ms:
            lines = rounds * len(found) + sum(stamp <= end_ms for stamp in found)
            bits = schedule.bits(0.0, (rounds * found[-1] + end_ms) / 1000)
            assert bits == pytest.approx(12_000 * lines, rel=1e-6, abs=12)


@given(st.lists(st.sampled_from([0.0, 1.2e6, 6e6, 2.4e7]), min_size=1, max_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_written_trace_is_read_back_within_a_packet(tmp_path, rates):
    rates[-1] = 1.2e6
    schedule = even_schedule(0.1, rates)
    write_mahimahi(schedule, tmp_path / "trace.up")
    back = read_mahimahi(tmp_path / "trace.up", 0.1)
    assert back.period_s == pytest.approx(schedule.period_s)
    for end in range(1, len(rates) + 1):
        due = schedule.bits(0.0, end * 0.1)
        assert back.bits(0.0, end * 0.1) == pytest.approx(due, abs=12_000.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\nx\n", "line 2: 'x' is no millisecond"),
        ("1\n-2\n", "line 2: '-2' is no millisecond"),
        ("1\n2.5\n", "line 2: '2.5' is no millisecond"),
        ("3\n5\n4\n", "line 3: 4 ms comes after 5 ms"),
        ("", "the trace lasts no time"),
        ("0\n0\n", "the trace lasts no time"),
    ],
)
def test_a_wrong_trace_names_file_and_line(tmp_path, text, message):
    path = tmp_path / "wrong.down"
    path.write_text(text)
    with pytest.raises(DocumentError, match=message) as error:
        read_mahimahi(path)
    assert str(error.value).startswith(str(path))


def test_what_a_trace_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "trace.up"
    with pytest.raises(TopologyError, match="holds no delays"):
        write_mahimahi(Schedule((0.0,), (8.0,), (0.1,), 1.0), path)
    with pytest.raises(TopologyError, match="give how long it lasts"):
        write_mahimahi(Schedule((0.0,), (8.0,)), path)
    with pytest.raises(TopologyError, match="whole milliseconds"):
        read_mahimahi(path, 0.0005)
    with pytest.raises(DocumentError, match="cannot be read"):
        read_mahimahi(path)


@pytest.mark.parametrize("radio", RADIOS)
def test_a_made_up_link_is_the_same_for_one_seed_only(radio):
    conditions = radio_conditions(radio)
    first, again, other = (radio_schedule(conditions, 1e8, 0.01, 60.0, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert first.period_s == pytest.approx(60.0)


@pytest.mark.parametrize("radio", RADIOS)
def test_a_made_up_link_has_its_conditions_mean_in_the_long_run(radio):
    conditions = radio_conditions(radio)
    schedule = radio_schedule(conditions, 1e8, 0.01, 20_000.0, seed=1)
    mean = schedule.bits(0.0, schedule.period_s) / schedule.period_s / 1e8
    assert mean == pytest.approx(mean_share(conditions), rel=0.05)
    assert min(schedule.delays_s) == 0.01
    assert max(schedule.rates_bits_per_s) > 1e8 > 4 * min(schedule.rates_bits_per_s)


def test_impossible_radios_are_refused():
    with pytest.raises(TopologyError, match="did you mean 'wifi'"):
        radio_conditions("wify")
    with pytest.raises(TopologyError, match="give two conditions"):
        radio_schedule(RADIOS["lte"], 1e8, 0.01, 0.01, 0, step_s=0.1)


EVERYTHING = {
    "duplex": "half",
    "loss": 0.01,
    "transport": "tcp",
    "congestion": "bbr",
    "queue_bytes": 250_000,
    "schedule": Schedule((0.0, 1.5), (1e8, 0.0), (0.02, 0.03), 2.0),
}
BOTH_WAYS = {
    "schedule": Schedule((0.0, 0.1), (1 / 3 * 1e8, 7.0)),
    "back_schedule": even_schedule(0.1, [1e7, 2e7]),
}


@pytest.mark.parametrize("options", [EVERYTHING, BOTH_WAYS], ids=["half", "full"])
@pytest.mark.parametrize("suffix", ["yaml", "json", "graphml"])
def test_every_format_holds_all_of_a_link(tmp_path, suffix, options):
    write, read = (
        (write_graphml, read_graphml) if suffix == "graphml" else (write_topology, read_topology)
    )
    path = tmp_path / f"two.{suffix}"
    write(two(**options), path)
    assert read(path) == two(**options)


def test_networkx_reads_the_node_link_file_of_a_scheduled_link(tmp_path):
    import json

    write_topology(two(**EVERYTHING), tmp_path / "two.json")
    data = json.loads((tmp_path / "two.json").read_text())
    graph = networkx.node_link_graph(data, edges="edges")
    assert graph.edges["a", "b"]["schedule"]["period"] == "2s"


def test_a_link_that_says_nothing_new_is_written_as_before(tmp_path):
    write_topology(two(), tmp_path / "two.yaml")
    text = (tmp_path / "two.yaml").read_text()
    assert "links:\n- source: a\n  target: b\n  rate: 100Mbit/s\n  delay: 20ms\n" in text
    assert "duplex" not in text


def test_a_file_may_describe_steps(tmp_path):
    text = "schedule: {steps: [[0s, 10Mbit/s], [5s, 1Mbit/s]], delays: [1ms, 2ms], period: 10s}"
    assert described(tmp_path, text).schedule == Schedule(
        (0.0, 5.0), (1e7, 1e6), (0.001, 0.002), 10.0
    )


def test_a_file_may_name_a_trace_beside_it(tmp_path):
    (tmp_path / "train.up").write_text("1\n100\n")
    link = described(tmp_path, "schedule: {mahimahi: train.up, bin: 50ms}")
    assert link.schedule == read_mahimahi(tmp_path / "train.up", 0.05)


def test_a_file_may_ask_for_a_radio_about_the_link_s_own_rate(tmp_path):
    text = "back_rate: 5Mbit/s, back_schedule: {radio: {kind: lte, seed: 7, duration: 30s}}"
    link = described(tmp_path, text)
    assert link.back_schedule == radio_schedule(RADIOS["lte"], 5e6, 0.02, 30.0, 7)
    assert link.schedule is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("duplex: both", "links.0.duplex: got 'both'"),
        ("transport: udp", "links.0.transport: got 'udp'"),
        ("congestion: reno", "links.0.congestion: got 'reno'"),
        ("loss: 1.0", "links.0.loss: got 1.0"),
        ("queue: 64", "links.0.queue: 64 has no unit"),
        ("duplex: half, back_rate: 1Mbit/s", "a half-duplex link has one rate"),
        ("schedule: {}", "give exactly one of steps, mahimahi and radio"),
        ("schedule: {mahimahi: nowhere.up}", "nowhere.up: cannot be read"),
        ("schedule: {steps: [[1s, 1Mbit/s]]}", "link a->b: schedule: schedule: the first step"),
        ("schedule: {radio: {kind: 6g}}", "links.0.schedule.radio.kind: got '6g'"),
        ("schedule: {radio: {kind: 5g}, period: 1s}", "delays and period belong to steps"),
        ("schedules: {}", "unknown key"),
    ],
)
def test_a_wrong_link_names_file_field_value_and_remedy(tmp_path, options, message):
    with pytest.raises(DocumentError) as error:
        described(tmp_path, options)
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duplex": "both"}, "duplex 'both' is unknown"),
        ({"transport": "udp"}, "transport 'udp' is unknown"),
        ({"congestion": "cubik"}, "did you mean 'cubic'"),
        ({"loss": 1.0}, "loss is 1.0"),
        ({"loss": -0.1}, "loss is -0.1"),
        ({"queue_bytes": -1}, "queue_bytes is -1"),
        ({"duplex": "half", "back_rate_bits_per_s": 1e6}, "remove back_rate_bits_per_s"),
        ({"duplex": "half", "back_schedule": Schedule((0.0,), (1.0,))}, "remove back_schedule"),
    ],
)
def test_impossible_links_are_refused(options, message):
    with pytest.raises(TopologyError, match=message):
        Link("a", "b", 1e6, 0.0, **options)
