import pytest

from workloads.errors import WorkloadError
from workloads.images import ENCODINGS, Image


def test_a_file_is_its_raw_pixels_times_the_ratio():
    assert Image(1920, 1080, "raw").file_bytes == 6_220_800
    for name, encoding in ENCODINGS.items():
        assert Image(100, 10, name).file_bytes == pytest.approx(3000 * encoding.ratio)


def test_every_ratio_states_where_it_is_from():
    for encoding in ENCODINGS.values():
        assert encoding.source.startswith(("exact", "assumption"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 10), "image.width_px: 0; give at least 1 pixel"),
        ((10, -3), "image.height_px: -3; give at least 1 pixel"),
        ((10, 10, "bmp"), "image.encoding: 'bmp' is unknown; choose one of raw, png, jpeg"),
    ],
)
def test_impossible_images_are_refused(values, message):
    with pytest.raises(WorkloadError, match=message):
        Image(*values)
