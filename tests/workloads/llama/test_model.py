import json
from dataclasses import replace

import pytest

from workloads.arrivals import Poisson
from workloads.catalogue import workload_named
from workloads.codec import CODECS
from workloads.errors import WorkloadError
from workloads.llama import costs
from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS, Stretch, read_architecture

SEVEN = Llama(VARIANTS["llama2-7b"])
PUBLISHED = {  # config.json of meta-llama/Llama-2-70b-hf, the keys that tell its shape
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-05,
    "torch_dtype": "float16",
}

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def configured(tmp_path, **changes):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(PUBLISHED | changes), encoding="utf-8")
    return path


@pytest.mark.parametrize(("a", "billions"), [(1, 0.67), (4, 1.88), (8, 3.50)])
def test_the_edge_keeps_as_many_parameters_as_published(a, billions):
    parts = (SEVEN.head(a, 1, 16), SEVEN.tail(32 - a, 1, 16))
    assert sum(part.weight_bytes for part in parts) / 2e9 == pytest.approx(billions, abs=0.005)
    assert costs.parameters(SEVEN.architecture) / 1e9 == pytest.approx(6.74, abs=0.005)


@pytest.mark.parametrize(("a", "b"), [(1, 31), (1, 1), (16, 17), (31, 31)])
def test_the_parts_add_up_to_the_whole_at_every_cut(a, b):
    for new, past in ((16, 0), (1, 99)):
        parts = (SEVEN.head(a, new, past), SEVEN.middle(a, b, new, past), SEVEN.tail(b, new, past))
        whole = SEVEN.whole(new, past)
        assert sum(part.flops for part in parts) == whole.flops
        assert sum(part.weight_bytes for part in parts) == whole.weight_bytes
        assert sum(part.memory_bytes for part in parts) == whole.memory_bytes
        assert [block for part in parts for block in part.blocks] == list(whole.blocks)


def test_a_part_has_the_same_weights_in_every_round():
    for part in (SEVEN.head, SEVEN.tail):
        assert part(3, 16, 0).weight_bytes == part(3, 1, 200).weight_bytes
    assert SEVEN.tail(31, 5, 0, tokens=0).weight_bytes == SEVEN.tail(31, 5, 5).weight_bytes


def test_reading_in_pieces_is_the_work_of_reading_at_once_but_for_what_need_not_be_met():
    whole = SEVEN.middle(0, 32, 100, 0).flops
    pieces = [SEVEN.middle(0, 32, 25, past).flops for past in (0, 25, 50, 75)]
    unmet = sum(2 * 2 * 25 * (75 - past) * 4096 * 32 for past in (0, 25, 50, 75))
    assert sum(pieces) == whole - unmet


def test_hidden_states_and_caches_are_as_large_as_published():
    assert SEVEN.hidden(1, 1).encoded_bytes(CODECS["fp16"]) == 8192
    assert SEVEN.kv_bytes(32) == 2 * 2 * 32 * 4096
    assert Llama(VARIANTS["llama2-70b"]).kv_bytes(80) == 2 * 2 * 80 * 1024


def test_a_configuration_file_makes_the_variant_it_describes(tmp_path):
    found = read_architecture(configured(tmp_path))
    known = VARIANTS["llama2-70b"]
    assert found.name == "mine"
    assert costs.parameters(found) == costs.parameters(known)
    assert Llama(found).middle(1, 79, 5, 5).flops == Llama(known).middle(1, 79, 5, 5).flops
    workload = workload_named("mine.json", Poisson(1), 1, folder=tmp_path)
    assert workload.model.architecture == found


def test_wavelengths_stand_where_either_of_two_versions_of_transformers_writes_them(tmp_path):
    older = read_architecture(configured(tmp_path, rope_theta=5e5, rope_scaling=None))
    newer = {"rope_theta": 5e5, "rope_type": "default"}
    assert read_architecture(configured(tmp_path, rope_parameters=newer)) == older
    assert older.rope_theta == 5e5


def test_reading_a_piece_of_a_prompt_alone_chooses_no_token():
    for model in (SEVEN, Llama(replace(SEVEN.architecture, tied=True))):
        piece, last = model.whole(5, 0, tokens=0), model.whole(5, 0)
        assert piece.makes == model.hidden(5, 32, 0)
        assert piece.flops < last.flops
        assert piece.weight_bytes == last.weight_bytes


def test_what_a_configuration_leaves_out_is_as_transformers_takes_it(tmp_path):
    found = read_architecture(configured(tmp_path, num_key_value_heads=None))
    assert (found.kv_heads, found.head_dim, found.tied) == (64, 128, False)
    assert read_architecture(configured(tmp_path, head_dim=64)).head_dim == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_theta": 5e5, "rope_scaling": None},
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "default"}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
    ],
)
def test_the_base_of_the_rotary_embedding_is_found_wherever_a_version_writes_it(tmp_path, changes):
    assert read_architecture(configured(tmp_path, **changes)).rope_theta == 5e5


def test_wavelengths_may_be_stretched_as_those_of_llama_3_are(tmp_path):
    stretched = read_architecture(configured(tmp_path, rope_theta=5e5, rope_scaling=LLAMA3))
    assert stretched.stretch == Stretch(8.0, 1.0, 4.0, 8192)
    newer = {**LLAMA3, "rope_theta": 5e5}
    assert read_architecture(configured(tmp_path, rope_parameters=newer)) == stretched
    linear = configured(tmp_path, rope_scaling={"type": "linear", "factor": 2})
    assert read_architecture(linear).stretch == Stretch(2.0)


@pytest.mark.parametrize(("given", "ends"), [(7, (7,)), ([7, 9], (7, 9))])
def test_a_text_may_end_with_one_of_several_tokens(tmp_path, given, ends):
    assert read_architecture(configured(tmp_path, eos_token_id=given)).ends == ends


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "mistral"}, "model_type: Input should be 'llama'"),
        ({"hidden_size": 0}, "hidden_size: Input should be greater than or equal to 1"),
        ({"hidden_size": 8190}, "hidden_size 8190 is no multiple of num_attention_heads 64"),
        ({"num_key_value_heads": 7}, "num_attention_heads 64 is no multiple of num_key_value"),
        (
            {"rope_scaling": {"type": "yarn", "factor": 2}},
            "rope_scaling: .*'yarn'.*llama3",
        ),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling: .*factor is missing.*'linear'"),
        (
            {"rope_parameters": {**LLAMA3, "low_freq_factor": None}},
            "rope_parameters: low_freq_factor is missing, which 'llama3' takes",
        ),
        (
            {"rope_parameters": {**LLAMA3, "high_freq_factor": 0.5}},
            "rope_parameters: high_freq_factor must be above",
        ),
        ({"rope_scaling": {"partial_rotary_factor": 0.5}}, "rope_scaling.partial_rotary_factor"),
        ({"hidden_act": "gelu"}, "hidden_act: Input should be 'silu'"),
    ],
)
def test_a_configuration_that_is_none_is_told_in_one_line(tmp_path, changes, words):
    with pytest.raises(WorkloadError, match=words) as caught:
        read_architecture(configured(tmp_path, **changes))
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WorkloadError, match=r"none\.json cannot be read"):
        read_architecture(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt_tokens": 0}, "text.prompt_tokens: 0; give at least 1"),
        ({"output_tokens": 0}, "text.output_tokens: 0; give at least 1"),
        ({"prompt_tokens": 4000}, "4000 tokens in and 300 out are more than the 4096 positions"),
        ({"drafter": VARIANTS["llama-small"]}, "text.drafter: llama-small knows 320 tokens and"),
        (
            {"drafter": replace(VARIANTS["llama2-7b"], positions=315)},
            "text.drafter: llama2-7b has 315 positions, too few for 16 tokens in and 300 out",
        ),
        ({"precision": "fp3"}, "llama.precision: 'fp3' is unknown; choose one of"),
    ],
)
def test_an_impossible_text_is_an_error(changes, words):
    with pytest.raises(WorkloadError, match=words):
        Llama(VARIANTS["llama2-7b"], **changes)
