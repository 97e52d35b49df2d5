from pathlib import Path

import pytest

from experiments.scenarios.loader import load
from sim.errors import ScenarioError
from sim.faults import Fault, RandomFaults
from topologies.documents import DocumentError

FAULTS = """\
detection: 20ms
timeout: 4s
plans: 3
silence: 2s
schedule:
  - {at: 10s, node: aws-t4, fault: crash}
  - {at: 12s, link: orin-nano->isp, fault: degrade, factor: 0.5}
random:
  - {node: "*-*00", fault: slow, factor: 0.25, mean_up: 60s, mean_down: 5s}
"""


def with_faults(value: str) -> list[str]:
    return [f"faults={value}"]


def test_a_file_of_faults_says_what_goes_wrong(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(FAULTS)
    faults = load("orin-nano-4-clouds", with_faults(str(file))).faults
    assert (faults.detection_s, faults.timeout_s, faults.plans) == (0.02, 4.0, 3)
    assert faults.silence_s == 2.0
    assert faults.schedule == (
        Fault(10.0, "aws-t4", "crash"),
        Fault(12.0, "orin-nano->isp", "degrade", 0.5),
    )
    assert faults.random == (
        RandomFaults("azure-a100", "slow", 60.0, 5.0, 0.25),
        RandomFaults("coreweave-h100", "slow", 60.0, 5.0, 0.25),
    )


def test_faults_may_stand_in_the_scenario_itself() -> None:
    faults = load(
        "orin-nano-4-clouds", with_faults("{schedule: [{at: 1s, node: aws-t4, fault: leave}]}")
    )
    assert faults.faults.schedule == (Fault(1.0, "aws-t4", "leave"),)


def test_a_scenario_without_faults_has_none() -> None:
    assert not load("orin-nano-4-clouds").faults


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{at: 1s, node: aws-t5, fault: crash}", "no node is called 'aws-t5'"),
        ("{at: 1s, link: 'a->b', fault: outage}", "no link is called 'a->b'"),
        ("{at: 1s, node: aws-t4, fault: outage}", "fault 'outage' does not befall a node"),
        ("{at: 1s, fault: outage}", "name either a node or a link"),
        ("{at: 1, node: aws-t4, fault: crash}", "1 has no unit; write it like '320ms'"),
        ("{at: 1s, node: aws-t4, falt: crash}", "unknown key; did you mean 'fault'"),
        ("{at: 1s, node: aws-t4, fault: crash, factor: 0}", "factor"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(entry: str, words: str) -> None:
    with pytest.raises((ScenarioError, DocumentError), match=words) as caught:
        load("orin-nano-4-clouds", with_faults(f"{{schedule: [{entry}]}}"))
    assert "\n" not in str(caught.value)
    assert "faults" in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.yaml: cannot be read"):
        load("orin-nano-4-clouds", with_faults("nowhere.yaml"))
