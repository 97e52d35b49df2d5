"""Guests, users without rights, and a scenario that both can run for real in seconds."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.inside.uml.kernel import find_kernel
from real_runner.errors import RealRunError

Ran = subprocess.CompletedProcess[str]
Run = Callable[..., Ran]
MEMORY = ("--memory", "1GiB")
NOBODY = 60_000 + os.getpid() % 4_000  # whose processes are all of this test
PATIENCE_S = 240.0
UML = (sys.executable, "-m", "experiments.inside.uml")

TOPOLOGY = """\
name: slow
nodes:
  - {name: pi, role: edge, device: raspberry-pi-4}
  - {name: a, role: cloud, device: aws-t3-micro, provider: aws}
  - {name: b, role: cloud, device: gcp-e2-micro, provider: gcp}
links:
  - {source: pi, target: a, rate: 10Mbit/s, delay: 5ms}
  - {source: pi, target: b, rate: 10Mbit/s, delay: 5ms}
"""
SCENARIO = """\
topology: slow-place.yaml
workload:
  model: sam-small
  image: {width_px: 320, height_px: 240, encoding: raw}
  precision: fp32
  arrivals: {kind: closed, clients: 1}
  requests: 2
policy: sharded/prefix:assignment=round-robin
deadline: 5s
seed: 1
replications: 1
warm_up: 0
real:
  default: {executor: synthetic, pace: profile}
"""


def run(*command: str, cwd: Path | None = None, **environment: str) -> Ran:
    """Run a command to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=cwd,
        stdin=subprocess.DEVNULL, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="session")
def needs_guests() -> None:
    """Skip a test where this machine has no User-Mode Linux."""
    _require_guests()


@pytest.fixture(scope="session")
def in_guest() -> Run:
    """Run a command in a guest."""
    _require_guests()
    return lambda *command, **more: run(*UML, *MEMORY, "--", *command, **more)


def _require_guests() -> None:
    try:
        find_kernel()
    except RealRunError as error:
        pytest.skip(f"{error}; or sudo make test")


@pytest.fixture(scope="session")
def slow_scenario() -> Iterator[Path]:
    """A scenario whose workers compute nothing, over links that any machine can carry.

    It lies where nobody may read it, too, which pytest's own folders see to that they may not.
    """
    with tempfile.TemporaryDirectory(prefix="tessera-test-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "slow-place.yaml").write_text(TOPOLOGY, encoding="utf-8")
        path = Path(folder) / "slow.yaml"
        path.write_text(SCENARIO, encoding="utf-8")
        yield path


_AS_NOBODY = """\
set -e
mkdir {place}/prefix
mount --bind {prefix} {place}/prefix
{uncover}
mknod {place}/tun c 10 200
chmod {mode} {place}/tun
mount --bind {place}/tun /dev/net/tun
cd {place}/home
export HOME={place}/home TMPDIR={place}/home
exec setpriv --reuid {nobody} --regid {nobody} --clear-groups "$@"
"""


@pytest.fixture
def nobody_home() -> Iterator[Path]:
    """A folder that belongs to a user without any rights."""
    place = Path(f"/tmp/tessera-test-nobody-{os.getpid()}")  # noqa: S108 - nobody cannot see ours
    home = place / "home"
    home.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    yield home
    shutil.rmtree(place)


@pytest.fixture
def as_nobody(nobody_home: Path) -> Callable[..., list[str]]:
    """Return a command that runs another as a user without rights, whose TUN has a mode.

    In a mount namespace of its own: the interpreter may lie in a folder that only root may enter.
    """
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        pytest.skip("becoming a user without rights needs root and /dev/net/tun: sudo make test")
    place, prefix = nobody_home.parent, Path(sys.base_prefix)
    closed = [each for each in reversed(prefix.parents) if not each.stat().st_mode & 0o001]
    uncover = ""
    if closed:
        uncover = f"mount -t tmpfs -o mode=755 none {closed[0]}\nmkdir -p {prefix}\n"
        uncover += f"mount --bind {place}/prefix {prefix}"

    def command(*words: str, tun_mode: str) -> list[str]:
        script = _AS_NOBODY.format(
            place=place, prefix=shlex.quote(str(prefix)), uncover=uncover, mode=tun_mode,
            nobody=NOBODY,
        )  # fmt: skip
        outer = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
        return [*outer, *words]

    return command


def tessera(*arguments: str) -> list[str]:
    """Return the command that runs the program."""
    return [sys.executable, "-P", "-c", "from experiments.cli import main; main()", *arguments]
