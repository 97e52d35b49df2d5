"""Which tokenizer a Llama gets, and that text comes through it whole."""

from dataclasses import replace

import pytest

from real_runner.errors import RealRunError
from real_runner.shards.llama.tokenizer import tokenizer_for
from tests.checkpoints import LLAMA, TEMPLATE, llama_tokenizer
from workloads.llama.text import ByteTokenizer
from workloads.llama.variants import VARIANTS

SMALL = VARIANTS["llama-small"]


def test_a_folder_with_a_tokenizer_is_read(tmp_path):
    reference = llama_tokenizer()
    reference.save_pretrained(tmp_path)
    found = tokenizer_for(tmp_path, LLAMA)
    assert found.encode("né") == reference.encode("né")
    assert found.encode("né")[0] == reference.bos_token_id
    assert found.decode([*found.encode("né"), reference.eos_token_id]) == "né"


def test_a_character_shows_once_it_is_whole(tmp_path):
    llama_tokenizer().save_pretrained(tmp_path)
    found = tokenizer_for(tmp_path, LLAMA)
    tokens = found.encode("a€b")
    assert [found.decode(tokens[:n]) for n in range(1, len(tokens) + 1)] == [
        "", "a", "a", "a", "a€", "a€b",
    ]  # fmt: skip


def test_a_conversation_is_written_by_the_template_of_the_model(tmp_path):
    reference = llama_tokenizer(TEMPLATE)
    reference.save_pretrained(tmp_path)
    turns = ["Hello", "Yes?", "Bye"]
    messages = [
        {"role": role, "content": turn}
        for role, turn in zip(("user", "assistant", "user"), turns, strict=True)
    ]
    wanted = reference.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert tokenizer_for(tmp_path, LLAMA).converse(turns) == wanted


def test_without_a_template_it_is_plain_text(tmp_path):
    llama_tokenizer().save_pretrained(tmp_path)
    for found in (tokenizer_for(tmp_path, LLAMA), tokenizer_for(None, SMALL)):
        assert found.converse(["Hello", "Yes?", "Bye"]) == found.encode("Hello\nYes?\nBye")
        assert found.converse(["Hello"]) == found.encode("Hello")


def test_a_vocabulary_of_bytes_needs_no_files(tmp_path):
    assert isinstance(tokenizer_for(None, SMALL), ByteTokenizer)
    assert isinstance(tokenizer_for(tmp_path, SMALL), ByteTokenizer)


def test_a_lack_is_told_in_one_line(tmp_path):
    with pytest.raises(RealRunError, match=r"no tokenizer there \(tokenizer\.json, ") as caught:
        tokenizer_for(tmp_path, replace(SMALL, vocabulary=32_000))
    assert "\n" not in str(caught.value)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(RealRunError, match="its tokenizer cannot be read") as caught:
        tokenizer_for(tmp_path, SMALL)
    assert "\n" not in str(caught.value)
