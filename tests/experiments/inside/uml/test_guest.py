"""A guest runs a command as if it ran here, but with a kernel of its own."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.inside.conftest import MEMORY, UML, Ran, Run

FACTS = """
import json, os, socket, subprocess, sys
from pathlib import Path
from experiments.inside.trial import main as trial
print("beside", file=sys.stderr)
Path("made-inside").write_text("by the guest")
print(json.dumps({
    "kernel": os.uname().release, "user": os.geteuid(), "folder": os.getcwd(),
    "variable": os.environ["A_VARIABLE"], "terminal": sys.stdout.isatty(),
    "input": sys.stdin.read(), "temporary": os.environ["TMPDIR"],
    "loopback": socket.create_server(("127.0.0.1", 0)).getsockname()[0], "netem": trial("netem"),
    "bbr": "bbr" in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text(),
    "tun": os.path.exists("/dev/net/tun"), "paths": len(sys.argv),
}))
sys.exit(7)
"""
MIB_OF_LINES = """
import sys
for number in range(1 << 16):
    print(f"{number:15d}")
print("done", file=sys.stderr)
"""
PING = """\
ip netns add a; ip netns add b
ip link add va netns a type veth peer name vb netns b
ip -n a addr add 10.0.0.1/24 dev va; ip -n b addr add 10.0.0.2/24 dev vb
ip -n a link set va up; ip -n b link set vb up
tc -n a qdisc add dev va root netem delay 100ms; tc -n b qdisc add dev vb root netem delay 100ms
ip netns exec a ping -c 11 -i 0.05 10.0.0.2
"""


@pytest.fixture(scope="module")
def visited(in_guest: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """What a program that looks around in a guest has said, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("visited")
    return folder, in_guest(sys.executable, "-c", FACTS, "a word", cwd=folder, A_VARIABLE="ä b")


def test_output_errors_and_status_come_out_and_nothing_else(visited: tuple[Path, Ran]) -> None:
    _, ran = visited
    assert (ran.returncode, ran.stderr) == (7, "beside\n")
    assert len(ran.stdout.splitlines()) == 1


def test_the_guest_is_another_kernel_with_this_machines_files(visited: tuple[Path, Ran]) -> None:
    folder, ran = visited
    facts = json.loads(ran.stdout)
    assert facts["kernel"] != os.uname().release
    assert (facts["user"], facts["folder"], facts["variable"]) == (0, str(folder), "ä b")
    assert (facts["terminal"], facts["input"], facts["paths"]) == (False, "", 2)
    made = folder / "made-inside"
    assert made.read_text(encoding="utf-8") == "by the guest"
    assert made.stat().st_uid == os.getuid()


def test_the_guest_has_what_emulated_links_are_made_of(visited: tuple[Path, Ran]) -> None:
    facts = json.loads(visited[1].stdout)
    assert (facts["netem"], facts["bbr"], facts["tun"]) == ("", True, True)
    assert facts["loopback"] == "127.0.0.1"


def test_nothing_is_left_of_the_guest(visited: tuple[Path, Ran]) -> None:
    assert not Path(json.loads(visited[1].stdout)["temporary"]).parent.exists()


@pytest.mark.usefixtures("needs_guests")
def test_a_slow_reader_gets_every_byte() -> None:
    command = [*UML, *MEMORY, "--", sys.executable, "-c", MIB_OF_LINES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as guest:
        assert guest.stdout is not None
        assert guest.stderr is not None
        found = hashlib.sha256()
        while chunk := guest.stdout.read(5000):
            found.update(chunk)
        assert guest.stderr.read() == b"done\n"
    told = "".join(f"{number:15d}\n" for number in range(1 << 16))
    assert found.hexdigest() == hashlib.sha256(told.encode()).hexdigest()
    assert guest.returncode == 0


@pytest.mark.usefixtures("needs_guests")
def test_a_reader_that_has_read_enough_ends_the_guest() -> None:
    with subprocess.Popen(
        [*UML, *MEMORY, "--", "yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as guest:
        assert guest.stdout is not None
        assert guest.stderr is not None
        assert guest.stdout.read(4) == b"y\ny\n"
        guest.stdout.close()
        assert guest.wait(20) == 128 + 13
        assert guest.stderr.read() == b""


def test_netem_in_the_guest_delays_by_what_it_is_told(in_guest: Run) -> None:
    ran = in_guest("sh", "-c", PING)
    times_ms = sorted(
        float(line.split("time=")[1].split()[0])
        for line in ran.stdout.splitlines()
        if "time=" in line
    )
    if not times_ms:
        pytest.skip(f"needs ip, tc and ping: sudo make test ({ran.stderr.strip()})")
    assert times_ms[len(times_ms) // 2] == pytest.approx(200.0, rel=0.05)
    assert times_ms[0] >= 200.0


def test_a_cache_may_lie_where_a_name_has_spaces_and_colons(in_guest: Run, tmp_path: Path) -> None:
    ran = in_guest("true", XDG_CACHE_HOME=str(tmp_path / "my own: cache"))
    assert (ran.returncode, ran.stderr) == (0, "")
