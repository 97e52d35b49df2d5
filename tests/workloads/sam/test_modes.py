import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.codec import CODECS
from workloads.errors import WorkloadError
from workloads.privacy import Noise
from workloads.sam import costs
from workloads.sam.landmark import landmark_count
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, WITHHOLDING, rounds
from workloads.sam.variants import TILE_ENCODER, VARIANTS, Variant
from workloads.sam.withholding import Withheld

SAMS = {name: Sam(variant) for name, variant in VARIANTS.items()}
B = SAMS["vit-b"]
SHARDS = [B.whole[start::4] for start in range(4)]


def megabytes(sharding, direction, shards=SHARDS, codec="fp16"):
    trips = [getattr(trip, direction) for trip in sharding.rounds]
    return sum(trip(s).encoded_bytes(CODECS[codec]) for trip in trips for s in shards) / 1e6


def flops_of(sharding, shards):
    clouds = sum(trip.compute(s).flops for trip in sharding.rounds for s in shards)
    edge = sum(stage.flops for trip in sharding.rounds for stage in trip.edge)
    return clouds + edge + sum(stage.flops for stage in sharding.before)


@pytest.mark.parametrize(
    ("name", "mode", "up", "down"),
    [
        ("vit-b", "exact", 22.0, 25.2),
        ("vit-l", "exact", 28.3, 33.6),
        ("vit-h", "exact", 34.6, 41.9),
        *((name, mode, 3.15, size) for name, size in
          (("vit-b", 6.29), ("vit-l", 8.39), ("vit-h", 10.49))
          for mode in ("prefix", "deferred", "local-attention")),
        *((name, "image", 3.15, 2.10) for name in ("vit-b", "vit-l", "vit-h")),
    ],
)  # fmt: skip
def test_traffic_is_that_of_the_design(name, mode, up, down):
    sharding = rounds(SAMS[name], mode)
    assert megabytes(sharding, "up") == pytest.approx(up, rel=0.003)
    assert megabytes(sharding, "down") == pytest.approx(down, rel=0.003)


@pytest.mark.parametrize("name", ["vit-b", "vit-l", "vit-h"])
@pytest.mark.parametrize(("codec", "divisor"), [("int8", 2), ("int4", 4)])
def test_codecs_shrink_tokens_and_leave_pixels(name, codec, divisor):
    sharding = rounds(SAMS[name], "exact")
    affine = 3 * 4096 * 4 / 1e6
    tokens = megabytes(sharding, "up") - 3.145728
    assert megabytes(sharding, "up", codec=codec) == pytest.approx(
        3.145728 + tokens / divisor + affine
    )


@given(
    owners=st.lists(st.integers(0, 5), min_size=25, max_size=25),
    mode=st.sampled_from(["exact", "prefix", "deferred"]),
    upload=st.sampled_from(["pixels", "embeddings"]),
    offload=st.booleans(),
)
def test_modes_that_only_move_work_do_all_of_it_once(owners, mode, upload, offload):
    shards = [tuple(w for w in B.whole if owners[w] == node) for node in set(owners)]
    sharding = rounds(B, mode, upload=upload, offload_tokenwise=offload and mode == "exact")
    assert flops_of(sharding, shards) == sum(link.stage.flops for link in B.chain)


@pytest.mark.parametrize("upload", ["pixels", "embeddings"])
@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_block_runs_exactly_once(name, mode, upload):
    sam = SAMS[name]
    sharding = rounds(sam, mode, upload=upload)
    ran = [
        block
        for trip in sharding.rounds
        for stage in (trip.compute(sam.whole), *trip.edge)
        for block in stage.blocks
    ]
    assert sorted(ran) == list(range(sam.variant.depth))
    has_them_in_order = max(sam.variant.windowed_blocks) < min(sam.variant.global_blocks)
    assert (ran == sorted(ran)) == (mode != "deferred" or has_them_in_order)


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        ("exact", 4),
        ("prefix", 1),
        ("deferred", 1),
        ("local-attention", 1),
        ("landmark", 5),
        ("image", 1),
    ],
)
def test_round_trips_are_those_of_the_design(mode, count):
    assert len(rounds(B, mode).rounds) == count
    assert set(MODES) == {"exact", "prefix", "deferred", "local-attention", "landmark", "image"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", VARIANTS)
def test_the_last_round_ends_with_the_mask(name, mode):
    sam = SAMS[name]
    *_, before_last, last = rounds(sam, mode).rounds[-1].edge
    assert last == sam.decode()
    assert before_last == (sam.merge(256) if mode == "image" else sam.neck())


def test_only_modes_with_more_than_one_round_see_tokens_that_mix():
    for mode in ("prefix", "deferred", "local-attention", "image"):
        (trip,) = rounds(B, mode).rounds
        assert not trip.up((0,)).mixes
        assert not trip.down((0,)).mixes
    for mode in ("exact", "landmark"):
        trips = rounds(B, mode).rounds
        assert [trip.up((0,)).mixes for trip in trips][:2] == [False, mode == "exact"]
        assert [trip.down((0,)).mixes for trip in trips] == [False] + [True] * (len(trips) - 1)


def test_blocks_done_count_what_a_payload_has_passed():
    exact = rounds(B, "exact").rounds
    assert [trip.up((0,)).blocks_done for trip in exact] == [0, 3, 6, 9]
    assert [trip.down((0,)).blocks_done for trip in exact] == [2, 5, 8, 11]
    assert rounds(B, "deferred").rounds[0].down((0,)).blocks_done == 8
    assert rounds(B, "local-attention").rounds[0].down((0,)).blocks_done == 12


@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred", "local-attention", "landmark"])
def test_uploading_embeddings_leaves_patch_embedding_to_the_edge(mode):
    pixels, embeddings = rounds(B, mode), rounds(B, mode, upload="embeddings")
    saved = sum(
        pixels.rounds[0].compute(s).flops - embeddings.rounds[0].compute(s).flops for s in SHARDS
    )
    assert saved == B.patch_embed().flops
    assert pixels.before == (B.partition(),)
    assert embeddings.before == (B.patch_embed(), B.split())
    assert embeddings.rounds[0].up((0,)) == B.patch_tokens((0,))
    assert pixels.rounds[0].up((0,)) == B.pixels((0,))


def test_offloading_token_wise_work_is_bought_with_traffic():
    kept, offloaded = rounds(B, "exact"), rounds(B, "exact", offload_tokenwise=True)
    one = 4096 * 768 * 2 / 1e6
    assert megabytes(offloaded, "up") - megabytes(kept, "up") == pytest.approx(one)
    assert megabytes(offloaded, "down") == pytest.approx(13 * one)
    attention = costs.attend(B.variant, 4096, 4096, 64)
    assert offloaded.rounds[0].edge[1] == B.stage("attention", attention, (2,))
    assert offloaded.stateful
    assert not kept.stateful


def test_landmarks_are_a_small_part_of_the_exact_traffic_and_work_lies_between():
    landmark, exact, local = (rounds(B, mode) for mode in ("landmark", "exact", "local-attention"))
    extra = megabytes(landmark, "up") - megabytes(local, "up")
    assert extra < 0.2 * (megabytes(exact, "up") - megabytes(local, "up"))
    assert flops_of(local, SHARDS) < flops_of(landmark, SHARDS) < flops_of(exact, SHARDS)
    assert landmark.stateful


def test_a_landmark_is_made_of_pool_tokens_of_one_window():
    assert [landmark_count(B.variant, 49, (window,)) for window in (0, 4, 24)] == [4, 3, 2]
    up = rounds(B, "landmark", pool=196).rounds[1].up((0, 1))
    assert up.shard == tuple(range(2, 25))
    assert (up.tokens, up.elements) == (2 * 23, 2 * 23 * 768)


def test_landmarks_are_a_summary_unless_one_is_a_single_token():
    def summary(pool, shard):
        return rounds(B, "landmark", pool=pool).rounds[0].down(shard).summary

    assert summary(49, (0, 4, 24))
    assert not summary(1, (0,))
    assert not summary(65, (0,))  # 196 = 3·65 + 1
    assert summary(65, (4,))  # 112 = 65 + 47


def test_one_shard_with_everything_makes_local_and_landmark_the_unsplit_encoder():
    unsplit = sum(link.stage.flops for link in B.chain)
    assert flops_of(rounds(B, "local-attention"), [B.whole]) == unsplit
    assert flops_of(rounds(B, "landmark"), [B.whole]) == unsplit


def test_image_mode_runs_the_small_encoder_over_each_tile():
    work = rounds(B, "image").rounds[0].compute(SHARDS[0])
    tiles = [rounds(B, "image").rounds[0].compute((window,)).flops for window in SHARDS[0]]
    assert work.kind == "sam.tile_encoder"
    assert work.blocks == tuple(range(12))
    assert sum(tiles) < work.flops


@pytest.mark.parametrize("globals_", [(), (0,), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("upload", ["pixels", "embeddings"])
@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred", "local-attention", "landmark"])
def test_global_blocks_may_stand_anywhere(mode, upload, globals_):
    sam = Sam(Variant("odd", 96, 4, 3, globals_, window_tokens=4, image_px=256))
    sharding = rounds(sam, mode, upload=upload)
    assert flops_of(sharding, [sam.whole]) == sum(link.stage.flops for link in sam.chain)


@pytest.mark.parametrize("mode", MODES)
def test_rounds_are_remembered_and_travel_between_processes(mode):
    assert rounds(B, mode) is rounds(Sam(VARIANTS["vit-b"]), mode)
    copy = pickle.loads(pickle.dumps(rounds(B, mode)))  # noqa: S301 (our own bytes)
    assert [trip.compute((0,)) for trip in copy.rounds] == [
        trip.compute((0,)) for trip in rounds(B, mode).rounds
    ]


@pytest.mark.parametrize(
    ("mode", "choices", "message"),
    [
        ("exactly", {}, "mode: 'exactly' is unknown; choose one of exact, prefix"),
        ("exact", {"upload": "jpeg"}, "upload: 'jpeg' is unknown; choose one of pixels, embed"),
        (
            "local-attention",
            {"offload_tokenwise": True},
            "offload_tokenwise: has no meaning in mode 'local-attention'",
        ),
        ("landmark", {"pool": 0}, "pool: 0; give at least 1 token"),
        ("image", {"upload": "embeddings"}, "upload: 'embeddings' has no meaning in mode 'image'"),
        (
            "image",
            {"tile_encoder": replace(TILE_ENCODER, neck_channels=128)},
            "tile_encoder vit-tiny: neck_channels: 128; give 256, as sam-vit-b has",
        ),
    ],
)
def test_choices_that_a_mode_cannot_honour_are_refused(mode, choices, message):
    with pytest.raises(WorkloadError, match=message):
        rounds(B, mode, **choices)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "image"])
def test_noise_adds_one_stage_at_the_edge_and_nothing_else(mode):
    noise = Noise(clip=1.0, sigma=2.0)
    plain = rounds(B, mode, upload="embeddings")
    noisy = rounds(B, mode, upload="embeddings", noise=noise)
    assert noisy.before == (B.patch_embed(), B.privatise(noise), B.split())
    assert flops_of(noisy, SHARDS) - flops_of(plain, SHARDS) == B.privatise(noise).flops
    for direction in ("up", "down"):
        assert megabytes(noisy, direction) == megabytes(plain, direction)


@pytest.mark.parametrize("mode", WITHHOLDING)
def test_withheld_means_cost_the_edge_an_embedding_and_no_traffic(mode):
    plain, without = rounds(B, mode), rounds(B, mode, withheld=Withheld(14))
    blocks = plain.rounds[0].compute((0,)).blocks
    assert without.before == (B.partition(Withheld(14)),)
    assert without.before[0].setting("withhold") == 14
    assert without.rounds[0].edge[:2] == (B.merge(), B.restore(blocks))
    assert without.rounds[0].edge[2:] == plain.rounds[0].edge[1:]
    extra = B.patch_embed().flops + 2 * 3 * 1024**2
    assert flops_of(without, SHARDS) - flops_of(plain, SHARDS) == pytest.approx(extra)
    for direction in ("up", "down"):
        assert megabytes(without, direction) == megabytes(plain, direction)


@pytest.mark.parametrize(
    ("mode", "choices", "message"),
    [
        *(
            (m, {"withheld": Withheld(1)}, "no meaning in mode")
            for m in MODES
            if m not in WITHHOLDING
        ),
        ("prefix", {"withheld": Withheld(1), "upload": "embeddings"}, "withhold: is of pixels"),
    ],
)
def test_means_that_cannot_be_withheld_are_refused(mode, choices, message):
    with pytest.raises(WorkloadError, match=message):
        rounds(B, mode, **choices)


def test_noise_on_pixels_is_refused():
    with pytest.raises(WorkloadError, match=r"noise: .* upload is 'pixels'; use upload='embedd"):
        rounds(B, "prefix", noise=Noise(1.0, 1.0))


def test_noise_moves_all_tokens_and_its_random_words():
    stage = B.privatise(Noise(clip=0.5, sigma=3.0))
    numbers = 4096 * 768
    assert (stage.setting("clip"), stage.setting("sigma")) == (0.5, 3.0)
    assert stage.memory_bytes > numbers * 8 * 10
    assert stage.weight_bytes == 0


def test_a_trend_costs_two_operations_a_term_to_find_and_two_to_take_off():
    means, level = (B.partition(Withheld(14, degree)) for degree in (0, 2))
    assert level.flops - means.flops == 4 * 6 * 3 * 1024**2
    assert Withheld.by(level) == Withheld(14, 2)
    assert Withheld.by(B.partition()) == Withheld()
