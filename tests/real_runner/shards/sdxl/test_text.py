"""Prompts as text: bytes for the small model, CLIP's own tokenizers for published ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

from real_runner.errors import RealRunError
from real_runner.shards.packages import class_named
from real_runner.shards.sdxl.head import padded_for
from real_runner.shards.sdxl.text import tokenizer_for
from tests.real_runner.shards.sdxl.painting import SMALL, TINY, tiny
from workloads.sdxl.model import Sdxl

BYTEWISE = Sdxl(SMALL)
WORDS = ["!", "a</w>", "fox</w>", "o", "x</w>", "f", "fo", "<|startoftext|>", "<|endoftext|>"]


def test_a_prompt_is_its_bytes_begun_ended_and_padded_with_the_end():
    tokens = tokenizer_for(BYTEWISE, None)("né", avoid="")
    assert tokens.shape == (2, 77)
    assert tokens.dtype == "<i4"
    assert tokens[0].tolist() == [256, *"né".encode(), 257, *[257] * 72]
    assert tokens[1].tolist() == [256, *[257] * 76]


def test_nothing_to_avoid_is_a_row_of_zeros_and_without_guidance_there_is_none():
    assert not tokenizer_for(BYTEWISE, None)("fox")[1].any()
    free = tokenizer_for(Sdxl(SMALL, guidance=False), None)
    assert free("fox").shape == (1, 77)
    with pytest.raises(RealRunError, match="prompt to avoid: nothing looks at it"):
        free("fox", "rain")


def test_a_prompt_that_has_no_room_is_refused():
    assert tokenizer_for(BYTEWISE, None)("x" * 75)[0, -1] == 257
    with pytest.raises(RealRunError, match="has 76 tokens; at most 75 have room"):
        tokenizer_for(BYTEWISE, None)("x" * 76)


def test_the_second_encoder_pads_with_its_own_token_after_the_first_end():
    second = TINY.encoders[1]
    assert padded_for(second, np.array([18, 4, 19, 19, 19])).tolist() == [18, 4, 19, 0, 0]
    assert padded_for(second, np.array([1, 2, 3])).tolist() == [1, 2, 3]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return a folder with CLIP tokenizers of a few words, padded as SDXL's are."""
    folder = tmp_path_factory.mktemp("clip")
    for name, padding in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        own = folder / name
        own.mkdir()
        vocabulary = {word: number for number, word in enumerate(WORDS)}
        (own / "vocab.json").write_text(json.dumps(vocabulary))
        (own / "merges.txt").write_text("#version: 0.2\nf o\nfo x</w>\n")
        settings = {"tokenizer_class": "CLIPTokenizer", "pad_token": padding, "model_max_length": 7}
        (own / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def clip_model(**changes):
    first, second = (replace(each, vocabulary=len(WORDS)) for each in TINY.encoders)
    return Sdxl(replace(TINY, encoders=(first, replace(second, **changes))), width_px=32)


def test_the_folders_own_tokenizers_are_used_and_padding_is_derived(clip):
    model = clip_model()
    tokens = tokenizer_for(model, clip)("a fox", "a")
    kind = class_named("transformers", "CLIPTokenizer")
    for name, encoder in zip(("tokenizer", "tokenizer_2"), model.variant.encoders, strict=True):
        theirs = kind.from_pretrained(clip / name)(["a fox", "a"], padding="max_length")
        ours = [padded_for(encoder, row).tolist() for row in tokens]
        assert ours == theirs.input_ids
    with pytest.raises(RealRunError, match="has 6 tokens; at most 5"):
        tokenizer_for(model, clip)("a a a a a a")


def test_a_second_tokenizer_that_reads_otherwise_is_refused(clip):
    with pytest.raises(RealRunError, match="tokenizer_2 reads 'a' otherwise than tokenizer; use"):
        tokenizer_for(clip_model(padding=3), clip)("a")


def test_without_a_folder_there_is_nothing_to_read_a_text_with(tmp_path):
    for weights in (None, tmp_path):
        with pytest.raises(RealRunError, match="sdxl-tiny needs tokenizer and tokenizer_2 to read"):
            tokenizer_for(tiny(), weights)
