from hypothesis import given
from hypothesis import strategies as st

from workloads.llama.text import SPECIAL, ByteTokenizer

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
BYTES = ByteTokenizer()


@given(TEXTS)
def test_a_text_comes_back_as_it_was(text):
    tokens = BYTES.encode(text)
    assert tokens[0] == 1
    assert all(SPECIAL <= token < SPECIAL + 256 for token in tokens[1:])
    assert BYTES.decode(tokens) == text


@given(TEXTS)
def test_of_a_text_that_comes_token_by_token_only_whole_characters_are_shown(text):
    tokens, shown = BYTES.encode(text), ""
    for end in range(len(tokens) + 1):
        so_far = BYTES.decode(tokens[:end])
        assert so_far.startswith(shown), "nothing that was shown is taken back"
        assert text.startswith(so_far)
        shown = so_far
    assert shown == text


@given(TEXTS, st.lists(st.sampled_from([0, 1, 2, 259, 319]), max_size=5))
def test_what_is_no_byte_is_left_out(text, others):
    assert BYTES.decode([*others, *BYTES.encode(text), *others]) == text


@given(st.lists(st.integers(0, 319), max_size=30))
def test_any_tokens_of_a_model_have_a_text(tokens):
    assert isinstance(BYTES.decode(tokens), str)


def test_what_is_no_text_is_shown_as_such():
    assert BYTES.decode([SPECIAL + byte for byte in b"a\xffb"]) == "a\ufffdb"
