import subprocess
import sys

import pytest

from real_runner.errors import RealRunError
from real_runner.wire.messages import load


def test_a_proto_file_is_found_wherever_the_package_is_installed(tmp_path):
    program = (
        "from real_runner.wire.messages import load;"
        "print(load('real_runner/wire/parcel.proto').Header)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Header" in done.stdout
    assert done.stderr == ""


def test_messages_survive_the_wire():
    header = load("real_runner/wire/parcel.proto").Header
    written = header(job=-5, shape=[3, 4], payload={"tensor": "tokens", "shard": [1, 2]})
    assert header.FromString(written.SerializeToString()) == written


def test_a_missing_file_is_named():
    with pytest.raises(RealRunError, match=r"real_runner/wire/none\.proto: no such file"):
        load("real_runner/wire/none.proto")


def test_a_file_that_does_not_compile_is_named(tmp_path, monkeypatch, capfd):
    (tmp_path / "broken_protos").mkdir()
    (tmp_path / "broken_protos" / "__init__.py").touch()
    (tmp_path / "broken_protos" / "one.proto").write_text('syntax = "proto3"; message {}')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        RealRunError, match=r"broken_protos/one\.proto: the protobuf compiler refus"
    ):
        load("broken_protos/one.proto")
    assert "Expected message name" in capfd.readouterr().err


def test_a_file_may_import_what_protobuf_ships(tmp_path, monkeypatch):
    (tmp_path / "timed_protos").mkdir()
    (tmp_path / "timed_protos" / "__init__.py").touch()
    (tmp_path / "timed_protos" / "one.proto").write_text(
        'syntax = "proto3"; import "google/protobuf/duration.proto";'
        "message Timed { google.protobuf.Duration took = 1; }"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load("timed_protos/one.proto").Timed(took={"seconds": 3}).took.seconds == 3
