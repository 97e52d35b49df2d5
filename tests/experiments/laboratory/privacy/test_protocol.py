"""A protocol and its thresholds are fixed before anything is attacked."""

import shutil

import pytest

from experiments.laboratory.privacy.protocol import (
    SHIPPED,
    THRESHOLDS,
    freeze,
    read_protocol,
    read_thresholds,
)
from topologies.documents import DocumentError


def test_the_protocol_that_ships_can_show_less_than_0_7_percent():
    protocol = read_protocol()
    assert protocol.pictures.test >= 1106  # three successes among them still do
    assert protocol.candidates == 1000
    assert protocol.pictures.test >= protocol.candidates


def test_thresholds_are_of_one_protocol_and_no_other(tmp_path):
    path = tmp_path / "protocol.yaml"
    shutil.copy(SHIPPED, path)
    with pytest.raises(DocumentError, match="cannot be read"):
        read_thresholds(path)
    assert freeze(path, 0.71, 24.5) == tmp_path / THRESHOLDS
    found = read_thresholds(path)
    assert (found.ssim, found.psnr_db) == (0.71, 24.5)
    path.write_text(path.read_text().replace("deep: 2", "deep: 3"))
    with pytest.raises(DocumentError, match=r"is of another protocol\.yaml"):
        read_thresholds(path)


def test_a_protocol_that_is_none_is_told_by_its_key(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHIPPED.read_text().replace("candidates: 1000", "candidates: 1"))
    with pytest.raises(DocumentError, match=r"mine\.yaml: candidates"):
        read_protocol(path)


def test_the_thresholds_that_ship_are_of_the_protocol_that_ships():
    frozen = read_thresholds(SHIPPED)
    assert 0 < frozen.ssim < 1
    assert 10 < frozen.psnr_db < 40
