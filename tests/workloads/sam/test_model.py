import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.codec import CODECS
from workloads.errors import WorkloadError
from workloads.images import Image
from workloads.sam import costs
from workloads.sam.model import Sam
from workloads.sam.variants import VARIANTS
from workloads.stage import Model

B, SMALL = Sam(VARIANTS["vit-b"]), Sam(VARIANTS["small"])
FP16 = CODECS["fp16"]


def shards_of(sam, owners):
    shards = (tuple(w for w in sam.whole if owners[w] == node) for node in set(owners))
    return [shard for shard in shards if shard]


partitions = st.lists(st.integers(0, 6), min_size=25, max_size=25)


@given(owners=partitions, patch_embed=st.booleans())
def test_windowed_work_of_any_partition_sums_to_the_whole(owners, patch_embed):
    blocks = (0, 1)
    whole = B.windowed(blocks, patch_embed=patch_embed)
    parts = [B.windowed(blocks, shard, patch_embed=patch_embed) for shard in shards_of(B, owners)]
    assert sum(part.flops for part in parts) == whole.flops
    touched = [part.memory_bytes - part.weight_bytes for part in parts]
    assert sum(touched) == pytest.approx(whole.memory_bytes - whole.weight_bytes, rel=1e-12)


@given(owners=partitions)
def test_payloads_of_any_partition_sum_to_the_whole(owners):
    shards = shards_of(B, owners)
    for whole, part in (
        (B.model_input, B.pixels),
        (B.patch_tokens(B.whole), B.patch_tokens),
        (B.tokens(B.whole, 3, mixes=True), lambda s: B.tokens(s, 3, mixes=True)),
    ):
        total = sum(part(shard).encoded_bytes(FP16) for shard in shards)
        assert total == whole.encoded_bytes(FP16)


@given(owners=partitions)
def test_attention_inside_shards_never_costs_more_than_over_the_image(owners):
    shards = shards_of(B, owners)
    local = sum(B.local_run(shard).flops for shard in shards)
    whole = B.local_run(()).flops
    assert local == whole if len(shards) == 1 else local < whole


def test_a_full_window_has_the_sizes_of_the_design():
    assert B.pixels((0,)).encoded_bytes(FP16) == 150_528
    assert B.tokens((0,), 2, mixes=False).encoded_bytes(FP16) == 301_056


@pytest.mark.parametrize(
    ("name", "megabytes"), [("vit-b", 6.29), ("vit-l", 8.39), ("vit-h", 10.49)]
)
def test_all_tokens_have_the_size_of_the_design(name, megabytes):
    sam = Sam(VARIANTS[name])
    assert sam.model_input.encoded_bytes(FP16) == 3_145_728
    size = sam.tokens(sam.whole, 1, mixes=False).encoded_bytes(FP16)
    assert size / 1e6 == pytest.approx(megabytes, abs=0.005)


@pytest.mark.parametrize(("codec", "divisor"), [("int8", 2), ("int4", 4)])
def test_quantisation_shrinks_all_but_the_affine_parameters(codec, divisor):
    payload = B.tokens(B.whole, 1, mixes=False)
    affine_bytes = 4 * payload.tokens
    quantised = payload.encoded_bytes(CODECS[codec]) - affine_bytes
    assert quantised == payload.encoded_bytes(FP16) / divisor


@pytest.mark.parametrize("name", VARIANTS)
def test_the_chain_is_the_encoder_and_the_decoder(name):
    sam = Sam(VARIANTS[name])
    stages = [link.stage for link in sam.chain]
    encoder = costs.encoder(sam.variant)
    assert [block for stage in stages for block in stage.blocks] == list(range(sam.variant.depth))
    assert sum(stage.flops for stage in stages[:-1]) == 2 * encoder.macs
    assert sum(stage.weight_bytes for stage in stages[:-1]) == 2 * encoder.parameters
    assert [s.kind for s in (stages[0], *stages[-2:])] == [
        "sam.patch_embed",
        "sam.neck",
        "sam.decode",
    ]


def test_tokens_mix_from_the_first_global_block_on():
    outputs = [link.output for link in B.chain]
    assert [output.blocks_done for output in outputs[:13]] == list(range(13))
    assert [output.mixes for output in outputs[:13]] == [False] * 3 + [True] * 10
    assert outputs[13].tensor == "embedding"
    assert outputs[13].encoded_bytes(CODECS["fp32"]) == 4_194_304


def test_the_answer_shows_no_window_and_takes_one_bit_per_pixel_and_prompt():
    answer = Sam(VARIANTS["vit-b"], prompts=3).chain[-1].output
    assert answer.shard == ()
    assert answer.encoded_bytes(FP16) == 3 * 131_072


def test_memory_counts_weights_once_and_products_at_the_precisions_width():
    variant = VARIANTS["small"]
    c, n, heads, head_dim = 192, 256, 3, 64
    products = 4 * c + 4 * c + 2 * c + 5 * c + 5 * c  # qkv, attention, projection, MLP
    positions = 2 * (c + 2 * 4 * heads)
    parameters = 12 * c * c + 13 * c + 2 * 7 * head_dim
    stage = Sam(variant, precision="fp32").windowed((0,))
    assert stage.memory_bytes == 4 * (n * (products + positions) + parameters)
    assert stage.weight_bytes == 4 * parameters
    assert SMALL.windowed((0,)).memory_bytes == stage.memory_bytes / 2


def test_blocks_that_follow_each_other_add_up():
    assert B.windowed((0, 1)).flops == 2 * B.windowed((0,)).flops
    assert B.windowed((0, 1)).launches == 2 * B.windowed((0,)).launches
    assert B.windowed((), (0,)).flops == 0


def test_edge_stages_that_only_copy_compute_nothing():
    for stage in (B.partition(), B.split(), B.merge()):
        assert stage.flops == 0
    assert B.partition().memory_bytes == 2 * 3_145_728
    assert B.merge().memory_bytes == B.split().memory_bytes == 2 * 6_291_456


def test_encoded_pixels_travel_smaller_and_are_decoded_from_the_captured_file():
    sam = Sam(VARIANTS["vit-b"], Image(2000, 1000, "raw"), pixel_encoding="jpeg")
    assert sam.captured.encoded_bytes(FP16) == 6_000_000
    assert sam.model_input.encoded_bytes(FP16) == pytest.approx(314_572.8)
    assert sam.prepare.memory_bytes == 6_000_000 + 2 * 6_000_000 + 3_145_728


def test_a_sam_is_a_model_and_a_key():
    model: Model = B
    assert model.name == "sam-vit-b"
    assert sum(model.shard_fractions) == pytest.approx(1)
    assert {B: 1}[Sam(VARIANTS["vit-b"])] == 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prompts", 0, "sam.prompts: 0; give at least 1"),
        ("precision", "fp17", "sam.precision: 'fp17' is unknown; choose one of fp32"),
        ("pixel_encoding", "gif", "sam.pixel_encoding: 'gif' is unknown; choose one of raw"),
    ],
)
def test_impossible_values_are_refused(field, value, message):
    with pytest.raises(WorkloadError, match=message):
        Sam(VARIANTS["vit-b"], **{field: value})


def test_blocks_of_the_wrong_sort_are_refused():
    with pytest.raises(WorkloadError, match=r"blocks: \(2,\); choose among the windowed blocks"):
        B.windowed((2,))
    with pytest.raises(WorkloadError, match=r"block: 3; choose among the global blocks of vit-b"):
        B.global_block(3)
