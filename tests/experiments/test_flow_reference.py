"""The program that holds the network against an independent solver, and its refusals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.flow_reference import ReferenceFileError, largest_error, main, read

FILES = sorted((Path(__file__).parents[1] / "data").glob("simgrid_*.json"))


def document():
    """Return a reference worked out by hand.

    Half a second per link: slots 1 and 2 send from 0.5 s, alone on links of 10 and 20 B/s, and
    have sent 5 and 10 bytes when slot 0 sets in at 1 s over both. It gets 5 B/s, they 5 and 15,
    and all end at 21 s; slot 0's next flow then sends 50 bytes at 20 B/s from 21.5 s.
    """
    return {
        "caps": [10.0, 20.0],
        "link_latency": 0.5,
        "flows": [
            {"slot": 0, "k": 1, "bytes": 50.0, "route": [1], "finish": 24.0},
            {"slot": 0, "k": 0, "bytes": 100.0, "route": [0, 1], "finish": 21.0},
            {"slot": 1, "k": 0, "bytes": 105.0, "route": [0], "finish": 21.0},
            {"slot": 2, "k": 0, "bytes": 310.0, "route": [1], "finish": 21.0},
        ],
    }


@pytest.fixture
def write(tmp_path):
    def write_to(content, name="reference.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_to


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_simgrid_agrees_to_1e_9(path):
    assert largest_error(read(path)) < 1e-9


def test_there_are_reference_files():
    assert [path.stem for path in FILES] == ["simgrid_metro_100x20", "simgrid_star_100x20"]


def test_a_reference_worked_out_by_hand_agrees(write, capsys):
    assert main([str(write(document()))]) == 0
    assert "4 flows" in capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_finish_time_off_by_2e_9_disagrees(path, write, capsys):
    reference = json.loads(path.read_text())
    reference["flows"][1234]["finish"] *= 1 + 2e-9
    assert main([str(write(reference))]) == 1
    assert "2.000e-09: DISAGREES" in capsys.readouterr().out


def test_one_capacity_off_disagrees(write):
    reference = document()
    reference["caps"][0] *= 1.01
    assert main([str(write(reference))]) == 1


def test_ignoring_the_delay_would_disagree(write):
    reference = document() | {"link_latency": 0.0}
    assert main([str(write(reference))]) == 1


def test_each_file_gets_its_line_and_the_worst_decides(write, capsys):
    wrong = document()
    wrong["flows"][0]["finish"] = 25.0
    good, bad, no_file = write(document()), write(wrong, "wrong.json"), "absent.json"
    assert main([str(bad), str(good)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main([no_file, str(good)]) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert printed.err == "absent.json: cannot be read: No such file or directory\n"


def change(*keys, to):
    """Return the document with one value changed, or left out where ``to`` is `change`."""
    reference = document()
    place = reference
    for key in keys[:-1]:
        place = place[key]
    if to is change:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return reference


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON: Expecting property name"),
        ("", "is no JSON: Expecting value"),
        ([1], "the file is [1], but must be an object"),
        (change("caps", to=change), "caps is missing"),
        (change("flows", to=change), "flows is missing"),
        (change("caps", to=7), "caps is 7, but must be a list"),
        (change("caps", to=[]), "caps is [], but must be a list, and not empty"),
        (change("flows", to={}), "flows is {}, but must be a list"),
        (change("caps", 1, to=0), "caps[1] is 0, but must be a finite number greater than 0"),
        (change("caps", 1, to="fast"), 'caps[1] is "fast", but must be a finite number'),
        (change("caps", 1, to=True), "caps[1] is true, but must be a finite number"),
        (change("caps", 1, to=float("inf")), "caps[1] is Infinity, but must be a finite number"),
        (change("caps", 1, to=10**400), "caps[1] is 1000"),
        (change("link_latency", to=-0.1), "link_latency is -0.1, but must be a finite number at"),
        (change("flows", 2, to=3), "flows[2] is 3, but must be an object"),
        (change("flows", 2, "bytes", to=change), "flows[2].bytes is missing"),
        (change("flows", 2, "slot", to=change), "flows[2].slot is missing"),
        (change("flows", 2, "k", to=change), "flows[2].k is missing"),
        (change("flows", 2, "route", to=change), "flows[2].route is missing"),
        (change("flows", 2, "finish", to=change), "flows[2].finish is missing"),
        (change("flows", 2, "bytes", to=-5.0), "flows[2].bytes is -5.0, but must be"),
        (change("flows", 2, "bytes", to=float("nan")), "flows[2].bytes is NaN, but must be"),
        (change("flows", 2, "finish", to=None), "flows[2].finish is null, but must be"),
        (change("flows", 2, "slot", to=1.5), "flows[2].slot is 1.5, but must be an integer"),
        (change("flows", 2, "route", to=[2]), "flows[2].route names link 2, but caps has links 0"),
        (change("flows", 2, "route", to=[-1]), "flows[2].route names link -1"),
        (change("flows", 2, "route", to=["a"]), 'flows[2].route is "a", but must be an integer'),
        (change("flows", 2, "route", to=[]), "flows[2].route is [], but must be a list, and not"),
        (change("flows", 2, "route", to=[0, 0]), "flows[2].route is [0, 0], but may name no link"),
        (change("flows", 0, "k", to=0), "flows: slot 0 has k 0 twice"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_the_place(content, message, write, capsys):
    path = write(content)
    with pytest.raises(ReferenceFileError) as caught:
        read(path)
    assert message in str(caught.value)
    assert main([str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{path}: ")
    assert len(printed.err.splitlines()) == 1


def test_no_text_and_no_file_are_refused_too(tmp_path, capsys):
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    assert main([str(binary)]) == 2
    assert main([str(tmp_path)]) == 2
    assert "is no JSON" in capsys.readouterr().err


def test_as_a_program(write):
    def run(*arguments):
        command = [sys.executable, "-m", "experiments.flow_reference", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
        )

    good = run(*map(str, FILES))
    assert (good.returncode, good.stderr, len(good.stdout.splitlines())) == (0, "", len(FILES))
    bad = run(str(write("[")))
    assert (bad.returncode, bad.stdout, len(bad.stderr.splitlines())) == (2, "", 1)
    assert run().returncode == 2
