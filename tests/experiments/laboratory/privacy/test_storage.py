"""What does not fit into memory is on disk, and what does not fit there is told in a line."""

import numpy as np
import pytest

from experiments.laboratory.privacy.storage import on_disk
from real_runner.errors import RealRunError


def test_it_is_an_array_like_any_other_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = on_disk((3, 5), np.float16)
    assert not found.any()
    found[1] = np.arange(5)
    np.testing.assert_array_equal(found.sum(axis=1), [0, 10, 0])
    assert not list(tmp_path.iterdir())


def test_where_there_is_no_room_the_folder_and_the_remedy_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RealRunError, match=rf"{tmp_path}: no room for 9.*GB.*TMPDIR"):
        on_disk((9, 10**15), np.uint8)
    assert not list(tmp_path.iterdir())
