"""Work is done whatever befalls those who do it."""

import os
import signal
from pathlib import Path

import pytest

from experiments.sweeps.engine import each_of

pytest.importorskip("ray", reason="pip install 'tessera[cluster]'")


@pytest.mark.long
def test_what_a_lost_worker_of_a_cluster_had_to_do_another_one_does(tmp_path: Path) -> None:
    def done(number: int) -> tuple[int, int]:  # goes to workers as it is, with all that it names
        dies = tmp_path / f"{number}-has-died"
        if number % 3 == 0 and not dies.exists():
            dies.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number, os.getpid()

    found = dict(each_of(done, range(9), "ray", 2))
    assert sorted(found) == list(range(9))
    assert len(list(tmp_path.iterdir())) == 3
    assert len(set(found.values())) > 2
