"""Which computations are of one sort, and so may share a pass."""

from dataclasses import replace

from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import VARIANTS as PAINTERS
from workloads.stage import Stage

LLAMA = Llama(VARIANTS["llama-small"])


def test_equal_stages_on_other_parts_of_the_input_are_of_one_sort():
    one = Stage("sam.windowed", 1.0, 2.0, shard=(0, 1), blocks=(0,))
    assert one.sort == replace(one, shard=(7, 8)).sort
    assert one.sort != replace(one, blocks=(1,)).sort
    assert one.sort != replace(one, flops=2.0).sort


def test_rounds_of_texts_are_of_one_sort_wherever_in_their_texts_they_are():
    assert LLAMA.middle(1, 7, 1, 16).sort == LLAMA.middle(1, 7, 1, 900).sort
    assert LLAMA.head(1, 5, 0).sort == LLAMA.head(1, 5, 40).sort
    assert LLAMA.whole(1, 3).sort == LLAMA.whole(1, 4).sort


def test_other_layers_parts_or_numbers_of_positions_are_of_another_sort():
    sorts = {
        LLAMA.middle(1, 7, 1, 16).sort,
        LLAMA.middle(1, 6, 1, 16).sort,
        LLAMA.middle(2, 7, 1, 16).sort,
        LLAMA.middle(1, 7, 2, 16).sort,
        LLAMA.head(7, 1, 16).sort,
        LLAMA.tail(1, 1, 16).sort,
        LLAMA.draft(1, 16).sort,
    }
    assert len(sorts) == 7


def test_steps_of_pictures_are_of_one_sort_only_where_they_are_the_same_step():
    painter = Sdxl(PAINTERS["sdxl-small"], width_px=64, height_px=64)
    assert painter.denoise(3).sort == painter.denoise(3).sort
    assert painter.denoise(3).sort != painter.denoise(4).sort
