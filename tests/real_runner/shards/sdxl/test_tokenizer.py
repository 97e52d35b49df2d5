"""Which tokenizer Stable Diffusion XL gets, and that both encoders read what they should."""

import json

import numpy as np
import pytest

from real_runner.errors import RealRunError
from real_runner.shards.packages import class_named
from real_runner.shards.sdxl.head import padded_for
from real_runner.shards.sdxl.tokenizer import tokenizer_for
from tests.checkpoints import clip_tokenizers
from workloads.sdxl.variants import VARIANTS

SMALL = VARIANTS["sdxl-small"]
FIRST, SECOND = SMALL.encoders


def test_a_vocabulary_of_bytes_needs_no_files():
    tokens = tokenizer_for(None, SMALL)("né")
    assert tokens == (256, *"né".encode(), *[257] * (77 - 4))


def test_each_encoder_reads_what_its_own_tokenizer_makes(tmp_path):
    folder = clip_tokenizers(tmp_path)
    tokens = np.array(tokenizer_for(folder, SMALL)("a fox, a hen"))
    for encoder, name in ((FIRST, "tokenizer"), (SECOND, "tokenizer_2")):
        own = class_named("transformers", "CLIPTokenizer").from_pretrained(folder / name)
        wanted = own("a fox, a hen", padding="max_length", max_length=77)["input_ids"]
        assert padded_for(encoder, tokens).tolist() == wanted
    assert padded_for(SECOND, tokens)[-1] == 0


def test_tokenizers_that_differ_in_more_than_padding_are_refused(tmp_path):
    folder = clip_tokenizers(tmp_path)
    path = folder / "tokenizer_2" / "tokenizer.json"
    document = json.loads(path.read_text())
    vocabulary = document["model"]["vocab"]
    vocabulary["a</w>"], vocabulary["b</w>"] = vocabulary["b</w>"], vocabulary["a</w>"]
    path.write_text(json.dumps(document))
    with pytest.raises(RealRunError, match="tokenizer_2 makes other tokens of 'a' than tokenizer"):
        tokenizer_for(folder, SMALL)("a")


@pytest.mark.parametrize("given", [True, False])
def test_a_prompt_that_is_too_long_is_told(tmp_path, given):
    encode = tokenizer_for(clip_tokenizers(tmp_path) if given else None, SMALL)
    assert len(encode("x " * 37)) == 77
    with pytest.raises(RealRunError, match="prompt: 80 tokens; the model reads 75, shorten it"):
        encode("x" * 80)


def test_a_lack_is_told(tmp_path):
    with pytest.raises(RealRunError, match="no folder 'tokenizer' there"):
        tokenizer_for(tmp_path, VARIANTS["sdxl-base"])
    (tmp_path / "tokenizer").mkdir()
    with pytest.raises(RealRunError, match="its tokenizer cannot be read") as caught:
        tokenizer_for(tmp_path, VARIANTS["sdxl-base"])
    assert "\n" not in str(caught.value)
