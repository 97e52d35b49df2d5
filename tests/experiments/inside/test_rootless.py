"""A user without rights runs over emulated links, as root of a user namespace."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.inside.rootless import launcher, why_not
from tests.experiments.inside.conftest import NOBODY, PATIENCE_S, run, tessera

AsNobody = Callable[..., list[str]]
FORBIDDING = """
from pathlib import Path
Path("/proc/sys/user/max_user_namespaces").write_text("0")
from experiments.inside.rootless import remedy, why_not
print(why_not(), remedy(), sep="; ")
"""


@pytest.fixture(scope="module", autouse=True)
def needs_namespaces() -> None:
    if reason := why_not():
        pytest.skip(f"user namespaces: {reason}: sudo make test")


def test_the_command_stays_the_same_process_and_is_root_of_its_own() -> None:
    script = "import os; print(os.getpid(), os.geteuid(), open('/proc/self/setgroups').read())"
    with subprocess.Popen(
        launcher([sys.executable, "-c", script]), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read().split() == [str(process.pid), "0", "deny"]


def test_a_command_that_is_not_there_is_one_line() -> None:
    ran = run(*launcher(["no-such-program"]))
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "no-such-program: No such file or directory" in ran.stderr


def test_where_namespaces_are_forbidden_it_says_what_allows_them() -> None:
    ran = run(*launcher([sys.executable, "-c", FORBIDDING]))
    assert ran.stdout == (
        "user namespaces: no more of them are allowed (user.max_user_namespaces); "
        "as root: sysctl -w user.max_user_namespaces=10000\n"
    )


@pytest.mark.long
def test_nobody_runs_over_userspace_links(as_nobody: AsNobody, slow_scenario: Path) -> None:
    wanted = tessera("run", str(slow_scenario), "--links", "auto", "--json")
    ran = run(*as_nobody(*wanted, tun_mode="666"))
    assert ran.stderr.startswith("--links auto: userspace, which this machine can emulate\n")
    if ran.returncode == 1:  # links were there, but without real-time priority on a busy machine
        assert "userspace links: refused by their certificate" in ran.stderr
        return
    assert ran.returncode == 0, ran.stderr
    certificate = json.loads(ran.stdout)["link_certificate"]
    assert (certificate["backend"], certificate["problems"]) == ("userspace", [])
    assert certificate["realtime"] is False


@pytest.mark.long
def test_results_of_a_run_in_a_namespace_belong_to_the_user(
    as_nobody: AsNobody, nobody_home: Path, slow_scenario: Path
) -> None:
    wanted = tessera("run", str(slow_scenario), "--inside", "user-namespace", "--out", "out")
    ran = run(*as_nobody(*wanted, tun_mode="600"))
    assert ran.returncode == 0, ran.stderr
    made = [nobody_home / "out", *(nobody_home / "out").iterdir()]
    assert {each.stat().st_uid for each in made} == {NOBODY}


def test_a_device_that_nobody_may_open_is_named_with_two_remedies(
    as_nobody: AsNobody, slow_scenario: Path
) -> None:
    wanted = tessera("run", str(slow_scenario), "--links", "userspace")
    ran = run(*as_nobody(*wanted, tun_mode="600"))
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    for words in ("/dev/net/tun: Permission denied", "chmod 0666 /dev/net/tun", "--inside uml"):
        assert words in ran.stderr


def test_auto_refuses_rather_than_leave_links_unshaped(
    as_nobody: AsNobody, slow_scenario: Path
) -> None:
    netem = run(sys.executable, "-m", "experiments.inside.trial", "netem")
    if netem.returncode == 0:
        pytest.skip("this kernel has netem, which auto falls back on")
    wanted = tessera("run", str(slow_scenario), "--links", "auto")
    ran = run(*as_nobody(*wanted, tun_mode="600"))
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "userspace links lack TUN devices" in ran.stderr
    assert "--links loopback would be unshaped" in ran.stderr


@pytest.mark.long
def test_a_kill_leaves_no_process(as_nobody: AsNobody, slow_scenario: Path) -> None:
    wanted = tessera("run", str(slow_scenario), "--links", "userspace")
    with subprocess.Popen(as_nobody(*wanted, tun_mode="666"), start_new_session=True) as process:
        _wait_for(lambda: len(_of_nobody()) > 1)
        process.send_signal(signal.SIGKILL)
    _wait_for(lambda: not _of_nobody())


def _wait_for(met: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S / 2
    while not met():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _of_nobody() -> list[int]:
    """Return the processes of nobody that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_theirs = path.stat().st_uid == NOBODY
            state = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:  # it has ended meanwhile
            continue
        if is_theirs and state != "Z":
            found.append(int(path.name))
    return found


def test_the_folder_of_runs_is_the_users_own_in_a_namespace_too() -> None:
    script = "from real_runner.fleet.folder import root; print(root().name)"
    ran = run(*launcher([sys.executable, "-c", script]))
    assert ran.stdout == f"tessera-{os.getuid()}\n", ran.stderr
