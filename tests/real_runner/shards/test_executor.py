"""What an executor keeps, finds, refuses and forgets."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError, StepError
from real_runner.executor import Executor, expected_shape
from real_runner.shards.sam import sam_executor
from workloads.sam.modes import rounds
from workloads.stage import Payload, Stage

PROMPT = Payload("prompt")


@pytest.fixture(scope="module")
def node(odd):
    return odd.node()


@pytest.fixture(scope="module")
def filled(odd):
    """Return a node that has run the whole chain."""
    node = odd.origin()
    node.run(0, (odd.sam.partition(), *(link.stage for link in odd.sam.chain)))
    return node


def test_it_is_an_executor(odd):
    node: Executor = odd.node()
    assert node.forget(0) is None


def test_arrays_have_the_shape_that_payloads_promise(odd, filled):
    sam = odd.sam
    for payload in (sam.captured, sam.pixels((3, 1)), *(link.output for link in sam.chain),
                    *(sam.tokens((8, 2), level, mixes=True) for level in range(6))):  # fmt: skip
        assert filled.get(0, payload).shape == expected_shape(payload)
    assert filled.get(0, PROMPT).shape == (2, 2, 3)


def test_rows_are_windows_one_after_the_other(odd, filled):
    sam = odd.sam
    both = filled.get(0, sam.tokens((7, 4), 3, mixes=True))
    each = [filled.get(0, sam.tokens((w,), 3, mixes=True)) for w in (7, 4)]
    assert np.array_equal(both, np.concatenate(each))
    whole = filled.get(0, sam.tokens(sam.whole, 3, mixes=True))
    assert np.array_equal(whole[:36], filled.get(0, sam.tokens((0,), 3, mixes=True)))


def test_what_a_lost_shard_leaves_is_found_by_the_next_attempt(odd, odd_embedding):
    """Two shards come back, the third is lost and sent again alone, to another node."""
    sharding = rounds(odd.sam, "exact")
    edge = odd.origin()
    edge.run(0, sharding.before)
    for trip in sharding.rounds:
        for shard in ((0, 1, 2), (3, 4, 5)):
            round_trip(odd, edge, trip, shard)
        with pytest.raises(StepError, match=re.escape("windows (6, 7, 8)") + ".*missing"):
            edge.run(0, trip.edge)
        round_trip(odd, edge, trip, (6, 8))
        round_trip(odd, edge, trip, (5, 7))  # window 5 once more: nothing is wrong with that
        edge.run(0, trip.edge)
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


def round_trip(world, edge, trip, shard):
    cloud = world.node()
    cloud.put(0, trip.up(shard), edge.get(0, trip.up(shard)))
    cloud.run(0, (trip.compute(shard),))
    edge.put(0, trip.down(shard), cloud.get(0, trip.down(shard)))


def test_rounds_begun_again_do_not_take_what_later_rounds_left(odd, odd_embedding, run_rounds):
    """Where clouds keep tensors a lost one sends the request back to its first round."""
    sharding = rounds(odd.sam, "exact", offload_tokenwise=True)
    edge = run_rounds(odd, sharding, ((0, 1, 2, 3), (4, 5, 6, 7, 8)))
    clouds = [(odd.node(), (0, 2, 4, 6, 8)), (odd.node(), (1, 3, 5, 7))]
    for trip in sharding.rounds:
        for cloud, shard in clouds:
            cloud.put(0, trip.up(shard), edge.get(0, trip.up(shard)))
            cloud.run(0, (trip.compute(shard),))
            edge.put(0, trip.down(shard), cloud.get(0, trip.down(shard)))
        edge.run(0, trip.edge)
    np.testing.assert_allclose(odd.embedding(edge), odd_embedding, rtol=0, atol=1e-10)


def test_merging_alone_takes_the_most_advanced_level(odd, node):
    sam = odd.sam
    for level in (0, 2):
        payload = sam.tokens(sam.whole, level, mixes=False)
        node.put(5, payload, np.full(expected_shape(payload), level, np.float64))
    half = sam.tokens((0, 1), 3, mixes=False)
    node.put(5, half, np.ones(expected_shape(half)))
    node.run(5, (sam.merge(),))
    node.run(5, (sam.split(),))
    assert (node.get(5, sam.tokens((8,), 2, mixes=False)) == 2).all()


def test_tokens_of_another_level_are_no_input(odd):
    sam, node = odd.sam, odd.node()
    payload = sam.tokens(sam.whole, 1, mixes=False)
    node.put(0, payload, np.zeros(expected_shape(payload)))
    for stage in (
        sam.windowed((2, 3), (0, 1)),
        sam.windowed((0,), (0,)),
        sam.global_block(4),
        sam.neck(),
    ):
        message = rf"{stage.kind}: needs .*here lie tokens after 1 block"
        with pytest.raises(StepError, match=message):
            node.run(0, (stage,))


@pytest.mark.parametrize("kind", ["prepare", "partition", "patch_embed", "split", "merge"])
def test_a_stage_without_its_input_says_what_it_needs(odd, kind):
    with pytest.raises(StepError, match=rf"sam\.{kind}: needs .*; here lie nothing"):
        odd.node().run(0, (Stage(f"sam.{kind}", 0, 0),))


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage("llama.layer", 0, 0), "llama.layer: this worker serves no such stage; it serves"),
        (Stage("sam.windowed", 0, 0, blocks=(0, 1)), r"blocks \(0, 1\) are not among \(0, 2, 3\)"),
        (Stage("sam.global", 0, 0, blocks=(0,)), r"blocks \(0,\) are not one of \(1, 4\)"),
        (Stage("sam.global", 0, 0), r"blocks \(\) are not one of \(1, 4\)"),
        (Stage("sam.attention", 0, 0, blocks=(99,)), r"blocks \(99,\) are not one of \(1, 4\)"),
        (Stage("sam.local", 0, 0, blocks=(99,), shard=(0,)), r"sam.local: blocks \(99,\)"),
        (Stage("sam.tokenwise", 0, 0, blocks=(0, 3), shard=(0,)), r"sam.tokenwise: blocks \(0, 3"),
        (Stage("sam.windowed", 0, 0, blocks=(0,), shard=(0, 0)), r"shard: \(0, 0\); give each"),
        (Stage("sam.windowed", 0, 0, blocks=(0,), shard=(9,)), r"shard: \(9,\); give each"),
    ],
)
def test_a_stage_that_the_model_has_not_is_refused(filled, stage, message):
    with pytest.raises(StepError, match=message):
        filled.run(0, (stage,))


def tokens_of(odd):
    return odd.sam.tokens((0, 1), 0, mixes=False)


def wrong(value, place=(3, 4)):
    array = np.zeros((72, 48))
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((72, 47)), r"tokens of windows \(0, 1\): shape \(72, 47\); give \(72, 48\)"),
        (np.zeros((71, 48)), r"shape \(71, 48\)"),
        (np.zeros(72 * 48), r"shape \(3456,\)"),
        (np.zeros((72, 48), np.int32), "numbers of type int32; give floating-point"),
        (np.zeros((72, 48), complex), "tokens of windows .*: numbers of type complex128"),
        (wrong(np.nan), "holds numbers that are not finite"),
        (wrong(np.inf), "holds numbers that are not finite"),
        (wrong(-np.inf), "holds numbers that are not finite"),
    ],
)
def test_malformed_tokens_are_refused(odd, node, array, message):
    with pytest.raises(StepError, match=message):
        node.put(0, tokens_of(odd), array)


def test_numbers_that_only_their_sum_is_too_large_for_are_kept(odd):
    node = sam_executor(odd.sam, odd.path, NodeSpec(dtype="fp32"))
    array = np.full((72, 48), 3e38, np.float32)
    node.put(0, tokens_of(odd), array)
    assert (node.get(0, tokens_of(odd)) == array).all()


@pytest.mark.parametrize(
    ("payload", "array", "message"),
    [
        (PROMPT, np.zeros((2, 2, 3)), "prompt: float64 of shape .*give float32"),
        (PROMPT, np.zeros((1, 2, 3), np.float32), r"shape \(1, 2, 3\); give float32, \(2, 2, 3\)"),
        (PROMPT, np.full((2, 2, 3), np.nan, np.float32), "prompt: holds numbers that are not"),
        (PROMPT, np.full((2, 2, 3), 5, np.float32), "prompt: label 5.0 is unknown"),
        (Payload("image"), np.zeros((5, 5), np.uint8), "image: uint8 of shape .*a vector of uint8"),
        (Payload("image"), np.zeros(5, np.float32), "image: float32 of shape"),
        (Payload("image"), np.zeros(0, np.uint8), "image: uint8 of shape"),
        (Payload("pixels", (0,)), np.zeros(5, np.uint8), "pixels: 5 bytes for windows"),
        (Payload("pixels", ()), np.zeros(5, np.uint8), "pixels: an empty shard"),
        (Payload("tokens", (77,)), np.zeros((5, 5)), r"tokens: shard: \(77,\)"),
        (Payload("tokens", ()), np.zeros((5, 5)), "tokens: an empty shard"),
        (Payload("hidden", (0,)), np.zeros((5, 5)), "hidden: no tensor of SAM that this"),
    ],
)
def test_malformed_arrivals_are_refused(node, payload, array, message):
    with pytest.raises(StepError, match=message):
        node.put(0, payload, array)


@pytest.mark.parametrize(
    "payload",
    [
        Payload("image"), PROMPT, Payload("mask"), Payload("pixels", (0,)),
        Payload("tokens", (0,), 48, 1), Payload("qkv", (0,), 48, 1), Payload("nonsense", (0,)),
    ],
)  # fmt: skip
def test_asking_for_what_is_not_there_names_what_is(odd, payload):
    with pytest.raises(StepError, match=f"{payload.tensor}.*here lie nothing"):
        odd.node().get(3, payload)


def test_read_only_arrays_and_other_precisions_are_welcome(odd):
    for dtype, spec in ((np.float16, "fp32"), (np.float32, "fp64"), (np.float64, "fp32")):
        node = odd.node(spec)
        array = np.ones((72, 48), dtype)
        array.flags.writeable = False
        node.put(0, tokens_of(odd), array)
        assert (node.get(0, tokens_of(odd)) == 1).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-4), ("bf16", 0.2), ("fp16", 0.05)])
def test_other_precisions_come_near_the_reference(odd, odd_embedding, dtype, tolerance):
    sam, node = odd.sam, odd.node(dtype)
    node.put(0, sam.captured, np.frombuffer(odd.file, np.uint8))
    node.put(0, PROMPT, odd.prompts)
    node.run(0, (sam.prepare, *(link.stage for link in sam.chain)))
    error = np.abs(odd.embedding(node).astype(np.float64) - odd_embedding)
    assert error.mean() < tolerance
    wrong = np.abs(-odd.embedding(node).astype(np.float64) - odd_embedding)
    assert wrong.mean() > tolerance
    assert node.get(0, sam.tokens((0,), 0, mixes=False)).dtype == (
        np.float16 if dtype == "fp16" else np.float32
    )


def test_nothing_is_changed_once_it_lies_on_a_board(odd):
    """A stage's input is still what it was after the stage, so it can be run again."""
    sam, node = odd.sam, odd.origin()
    node.run(0, (sam.patch_embed(),))
    payloads = [sam.tokens(sam.whole, level, mixes=True) for level in range(6)]
    before = []
    for level, link in enumerate(sam.chain[1:6]):
        before.append(node.get(0, payloads[level]).copy())
        node.run(0, (link.stage,))
    for payload, array in zip(payloads, before, strict=False):
        assert np.array_equal(node.get(0, payload), array)


def test_a_forgotten_request_leaves_nothing_and_others_alone(odd):
    node = odd.origin(job=1)
    node.put(2, PROMPT, odd.prompts)
    node.forget(1)
    node.forget(99)
    with pytest.raises(StepError, match="here lie nothing"):
        node.get(1, PROMPT)
    assert np.array_equal(node.get(2, PROMPT), odd.prompts)


def test_requests_may_come_and_go_while_others_run(odd, odd_embedding):
    sam, node = odd.sam, odd.node()
    stages = (sam.prepare, *(link.stage for link in sam.chain))

    def serve(job):
        node.put(job, sam.captured, np.frombuffer(odd.file, np.uint8))
        node.put(job, PROMPT, odd.prompts)
        node.run(job, stages)
        embedding = odd.embedding(node, job)
        node.forget(job)
        return embedding

    with ThreadPoolExecutor(4) as pool:
        for embedding in pool.map(serve, range(8)):
            np.testing.assert_allclose(embedding, odd_embedding, rtol=0, atol=1e-10)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_tiles_may_travel_encoded(odd, odd_embedding, run_rounds, encoding):
    sam = replace(odd.sam, pixel_encoding=encoding)
    world = replace(odd, sam=sam, pool=[])
    edge = run_rounds(world, rounds(world.sam, "exact"), ((0, 4, 8), (1, 2, 3, 5, 6, 7)))
    error = np.abs(world.embedding(edge) - odd_embedding).mean()
    assert error < 1e-10 if encoding == "png" else 1e-4 < error < 0.5


def test_a_device_that_is_not_there_is_refused(odd):
    if torch.cuda.is_available():
        assert sam_executor(odd.sam, odd.path, NodeSpec(device="cuda"))
    else:
        with pytest.raises(RealRunError, match="device: 'cuda' is not there"):
            sam_executor(odd.sam, odd.path, NodeSpec(device="cuda"))
