from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image as Pictures

from real_runner.errors import StepError
from real_runner.shards import pixels
from real_runner.shards.inputs import captured
from real_runner.shards.operators import import_segment_anything
from workloads.images import Image
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.variants import Variant

ODD = Variant("odd", 48, 5, 3, (1, 4), window_tokens=6, image_px=256)
SIZES = [(300, 200), (200, 300), (256, 256), (1000, 3), (3, 1000), (17, 16), (640, 481)]


def picture(width, height, encoding="raw", index=0):
    sam = Sam(ODD, Image(width, height, encoding))
    return sam, np.frombuffer(captured(sam, seed=1, index=index)[0], np.uint8)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_preparing_is_what_sams_own_transform_does(width, height):
    sam, file = picture(width, height)
    transform = import_segment_anything().utils.transforms.ResizeLongestSide(256)
    wanted = transform.apply_image(file.reshape(height, width, 3))
    square = pixels.prepared(file, sam.image, 256)
    assert pixels.content_px(sam.image, 256) == wanted.shape[:2]
    assert np.array_equal(square[: wanted.shape[0], : wanted.shape[1]], wanted)
    assert square.sum() == wanted.sum()  # all the rest is zero


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_patches_are_those_that_sam_normalises_and_pads(odd, width, height):
    sam, file = picture(width, height)
    square = pixels.prepared(file, sam.image, 256)
    high, wide = pixels.content_px(sam.image, 256)
    seen = torch.from_numpy(square[:high, :wide].copy()).permute(2, 0, 1).double()
    normal = odd.reference.preprocess(seen)
    unfolded = torch.nn.functional.unfold(normal[None], 16, stride=16)[0].t()
    patches = pixels.patches_of_square(sam, square, np.float64)
    np.testing.assert_allclose(patches, unfolded, rtol=0, atol=1e-12)
    for window in windows(ODD):
        (tile,) = pixels.cut(sam, square, (window.index,)).values()
        part = patches.reshape(16, 16, -1)[window.top_px // 16 :, window.left_px // 16 :]
        part = part[: window.height_tokens, : window.width_tokens]
        mine = pixels.patches_of_tile(sam, tile, window, np.float64)
        assert np.array_equal(mine, part.reshape(window.tokens, -1))


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_encoded_files_are_decoded(encoding):
    sam, file = picture(300, 200, encoding)
    with Pictures.open(BytesIO(file.tobytes())) as opened:
        colours = np.asarray(opened.convert("RGB")).ravel()
    raw = Image(300, 200, "raw")
    assert np.array_equal(pixels.prepared(file, sam.image, 256), pixels.prepared(colours, raw, 256))


@pytest.mark.parametrize(("encoding", "error"), [("raw", 0), ("png", 0), ("jpeg", 12)])
def test_tiles_make_the_way_as_bytes(encoding, error):
    sam = Sam(ODD, Image(300, 200, "raw"), pixel_encoding=encoding)
    square = pixels.prepared(picture(300, 200)[1], sam.image, 256)
    shard = (8, 0, 5)
    data = pixels.joined(sam, list(pixels.cut(sam, square, shard).values()))
    tiles = pixels.parted(sam, data, shard)
    assert list(tiles) == list(shard)
    plain = pixels.cut(Sam(ODD, sam.image), square, shard)
    for index in shard:
        window = windows(ODD)[index]
        sent = pixels.patches_of_tile(sam, tiles[index], window, np.float64)
        own = pixels.patches_of_tile(Sam(ODD, sam.image), plain[index], window, np.float64)
        assert np.abs(sent - own).mean() * 57 <= error


def test_raw_tiles_have_the_size_that_their_payload_says():
    sam, file = picture(300, 200)
    square = pixels.prepared(file, sam.image, 256)
    data = pixels.joined(sam, list(pixels.cut(sam, square, (8, 0)).values()))
    assert len(data) == sam.pixels((8, 0)).fixed_bytes


@pytest.mark.parametrize(
    ("encoding", "file", "message"),
    [
        ("raw", np.zeros(10, np.uint8), "image: 10 raw bytes; .* take 180000"),
        ("jpeg", np.zeros(10, np.uint8), "image: not a jpeg file"),
        ("png", picture(300, 200, "jpeg")[1], "image: not a png file"),
        ("jpeg", picture(200, 300, "jpeg")[1], r"image: is \(300, 200\) pixels high and wide"),
        ("png", picture(300, 200, "png")[1][:5000], "image: a damaged file"),
    ],
)
def test_a_file_that_is_not_the_picture_is_refused(encoding, file, message):
    with pytest.raises(StepError, match=message):
        pixels.prepared(file, Image(300, 200, encoding), 256)


@pytest.mark.parametrize("encoding", ["raw", "png"])
@pytest.mark.parametrize("length", [1, 7, 3000])
def test_tiles_of_another_length_are_refused(encoding, length):
    sam = Sam(ODD, Image(300, 200, "raw"), pixel_encoding=encoding)
    square = pixels.prepared(picture(300, 200)[1], sam.image, 256)
    data = pixels.joined(sam, list(pixels.cut(sam, square, (0, 1)).values()))
    for wrong in (data[:-length], np.concatenate([data, data[:length]])):
        with pytest.raises(StepError, match=r"pixels: \d+ bytes for windows \(0, 1\); they take"):
            pixels.parted(sam, wrong, (0, 1))


def test_a_tile_that_is_no_picture_is_refused():
    sam = Sam(ODD, Image(300, 200, "raw"), pixel_encoding="png")
    with pytest.raises(StepError, match="tile of window 3: not a png file"):
        pixels.patches_of_tile(sam, np.ones(50, np.uint8), windows(ODD)[3], np.float32)


def test_pictures_are_drawn_by_seed_and_have_their_prompts_inside():
    sam = Sam(ODD, Image(300, 200, "jpeg"), prompts=5)
    first, prompts = captured(sam, 1, 0)
    assert captured(sam, 1, 0)[0] == first
    assert len({first, captured(sam, 1, 1)[0], captured(sam, 2, 0)[0]}) == 3
    assert prompts.shape == (5, 2, 3)
    assert prompts.dtype == np.float32
    assert prompts[:, :, 2].tolist() == [[1, -1], [2, 3], [1, -1], [2, 3], [1, -1]]
    assert (prompts[:, :, 0] >= 0).all()
    assert (prompts[:, :, 0] < 300).all()
    assert (prompts[:, :, 1] >= 0).all()
    assert (prompts[:, :, 1] < 200).all()


def test_a_drawn_picture_compresses_like_a_photo():
    sizes = [len(captured(Sam(ODD, Image(640, 480, "jpeg")), 0, index)[0]) for index in range(3)]
    assert all(0.03 < size / (640 * 480 * 3) < 0.3 for size in sizes)
