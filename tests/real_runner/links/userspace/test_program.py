"""The link process is compiled once, where there is a compiler, and says what it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from real_runner.errors import RealRunError
from real_runner.links.network import Network
from real_runner.links.userspace.links import prepare
from real_runner.links.userspace.orders import NETWORK, routed_text
from real_runner.links.userspace.program import forwarder
from tests.emulating import why_not
from tests.real_runner.links.conftest import world
from topologies.topology import Link


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_it_is_compiled_once_and_kept(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    program = forwarder()
    made_ns = program.stat().st_mtime_ns
    assert forwarder() == program
    assert program.stat().st_mtime_ns == made_ns
    assert list((tmp_path / "tessera").iterdir()) == [program]


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RealRunError, match="apt-get install gcc"):
        forwarder()


def test_a_cache_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := why_not():
        pytest.skip(reason)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with pytest.raises(RealRunError, match="set XDG_CACHE_HOME"):
        forwarder()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--run=x", "/nowhere"), "/nowhere: No such file"),
        (("--run=x", "{folder}/empty"), "bad first line"),
        (("--run=x", "{folder}/links.txt"), "0 devices for 2"),
    ],
)
def test_the_program_refuses_what_it_cannot_read(
    tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    if lacking := why_not():
        pytest.skip(lacking)
    (tmp_path / "empty").write_text("")
    program = forwarder()
    text = routed_text(Network(world(Link("a", "b", 1e6, 0.001))))
    (tmp_path / NETWORK).write_text(text)
    command = [str(program), *(word.format(folder=tmp_path) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("links: ")
    assert reason in done.stderr


def test_whoever_may_not_is_told_in_one_line_to_be_root(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    module, *words = prepare(Network(world(Link("a", "b", 1e6, 0.001))), tmp_path)
    command = [sys.executable, "-m", module, "--run=x", str(tmp_path), *words]
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", *command],  # noqa: S607 - of util-linux
        capture_output=True, text=True, check=False, timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "unshare: Operation not permitted; run as root" in done.stderr
