"""What clouds are recorded to have held is what the plan sent them, and where it belongs."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from experiments.laboratory.attacks.pictures import averaged
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.showing import Showing
from experiments.laboratory.subjects import drawn
from experiments.scenarios.loader import load
from real_runner.deployment import NodeSpec
from real_runner.shards.weights import read
from sim.errors import PolicyError
from tests.computing import one_thread
from workloads.catalogue import model_named
from workloads.scenes import Look, scene

PIXELS, TOKENS = 4 * 64 * 64 * 3, 4 * 16 * 192
"""Of four windows of sixteen, as four clouds have them."""


def truth(count=3):
    return averaged([scene(Look(side_px=256), 0, "test", n).picture for n in range(count)])


def test_pixels_are_shown_in_their_places_and_nothing_else_is(record):
    found = record("sharded/deferred:assignment=round-robin")
    assert len(found.transcripts) == 4
    np.testing.assert_array_equal(found.pictures, truth())
    covered = np.zeros((64, 64), int)
    for node in found.transcripts:
        views = found.views(node)
        assert views.numbers.shape == (3, PIXELS + TOKENS)
        apart = np.abs(views.canvas - found.pictures)[:, views.seen]
        assert apart.max() <= 0.5 / 255 + 1e-6
        assert not views.canvas[:, views.unseen].any()
        covered += views.seen
    assert (covered == 1).all()


def test_encoded_pixels_are_held_as_their_colours(record):
    """Files of two pictures are not of the same length, and one byte of a file tells little."""
    policy = "sharded/deferred:assignment=round-robin"
    raw, encoded = record(policy), record(policy, settings=["workload.pixel_encoding=jpeg"])
    for node in raw.transcripts:
        one, other = (each.views(node) for each in (raw, encoded))
        assert one.numbers.shape == other.numbers.shape
        apart = np.abs(one.numbers - other.numbers)[:, :PIXELS].mean()
        assert 0 < apart < 0.03
        np.testing.assert_array_equal(one.seen, other.seen)


def test_places_are_those_of_the_windows_that_clouds_are_shown(record, checkpoint):
    places = Showing(model_named("sam-small"), read(checkpoint)).places()
    covered = np.zeros((64, 64), int)
    for each in places:
        covered[each] += 1
    assert (covered == 1).all()
    for seen in record("sharded/deferred:assignment=round-robin", 1).seen.values():
        assert sum(seen[each].all() for each in places) == 4
        assert all(seen[each].all() or not seen[each].any() for each in places)


def test_where_tokens_mix_all_later_ones_are_recorded_too(record):
    views = record("sharded/exact:assignment=round-robin").views
    few = record("sharded/prefix:assignment=round-robin").views
    node = next(iter(record("sharded/prefix:assignment=round-robin", 1).transcripts))
    # Four rounds: after the first, tokens go out and come back three times more.
    assert views(node).numbers.shape[1] == PIXELS + TOKENS + 3 * 2 * TOKENS
    assert few(node).numbers.shape[1] == PIXELS + TOKENS
    np.testing.assert_array_equal(views(node).numbers[:, : PIXELS + TOKENS], few(node).numbers)


@pytest.mark.parametrize("mode", ["exact", "deferred"])
def test_nothing_that_a_cloud_takes_part_in_is_left_out(checkpoint, mode):
    """Though what the device does afterwards is not computed."""
    scenario = load("small-sam", policy=f"sharded/{mode}:assignment=round-robin")
    clouds = {node.name for node in scenario.topology.nodes if not node.trusted}
    subject = drawn(Look(side_px=256), 0, "test", 0)
    examiner = Examiner(scenario, checkpoint, NodeSpec(dtype="fp32"))
    with one_thread():
        heard = examiner.heard(scenario.policy, subject, clouds)
        _, sent = examiner.run(scenario.policy, subject)
    theirs = [s for s in sent if clouds & {s.transfer.source, s.transfer.target}]
    assert [each.transfer for each in heard] == [each.transfer for each in theirs]
    for each, other in zip(heard, theirs, strict=True):
        np.testing.assert_array_equal(each.data, other.data)


def test_noise_follows_from_the_picture_in_whatever_process_and_order(checkpoint):
    policy = "sharded/deferred:assignment=round-robin,upload=embeddings,epsilon=1"
    scenario = load("small-sam", policy=policy)
    clouds = {node.name for node in scenario.topology.nodes if not node.trusted}
    first, second = (drawn(Look(side_px=256), 0, "test", index) for index in range(2))
    examiner = Examiner(scenario, checkpoint, NodeSpec(dtype="fp32"))
    another = pickle.loads(pickle.dumps(examiner))  # noqa: S301 - as other processes have it
    with one_thread():
        *_, told = (examiner.heard(scenario.policy, each, clouds) for each in (first, second))
        alone = another.heard(scenario.policy, second, clouds)
        other = another.heard(scenario.policy, replace(second, name="another"), clouds)
    for each, same in zip(told, alone, strict=True):
        np.testing.assert_array_equal(each.data, same.data)
    assert (told[0].array != other[0].array).any()


def test_embeddings_are_turned_back_into_what_closed_form_can_tell(record):
    found = record("sharded/deferred:assignment=round-robin,upload=embeddings")
    for node in found.transcripts:
        views = found.views(node)
        assert views.numbers.shape == (3, 2 * TOKENS)
        seen = found.pictures[:, views.seen]
        apart = ((views.canvas[:, views.seen] - seen) ** 2).mean()
        assert apart < ((seen.mean() - seen) ** 2).mean()  # dim 192 of 768: a part only, but that


def test_of_what_is_withheld_a_cloud_is_shown_all_but_a_constant(record):
    found = record("sharded/deferred:assignment=round-robin,withhold=1")
    plain = record("sharded/deferred:assignment=round-robin")
    for node in found.transcripts:
        seen = found.seen[node]
        for shown, truth in zip(found.views(node).canvas, plain.views(node).canvas, strict=True):
            for window in np.argwhere(seen[::16, ::16]) * 16:  # sixteen pixels a side here
                part = tuple(slice(start, start + 16) for start in window)
                apart = shown[part] - truth[part]
                assert apart.std(axis=(0, 1)).max() < 0.06


def test_noise_is_in_what_is_recorded(record):
    plain = record("sharded/deferred:assignment=round-robin,upload=embeddings")
    noisy = record("sharded/deferred:assignment=round-robin,upload=embeddings,epsilon=1")
    node = next(iter(plain.transcripts))
    plain_error, noisy_error = (
        ((each.views(node).canvas - each.pictures)[:, each.seen[node]] ** 2).mean()
        for each in (plain, noisy)
    )
    assert noisy_error > 2 * plain_error


def test_shares_show_nothing_and_are_as_good_as_random(record):
    found = record("sharded/shares:clouds=2,blocks=0", 2)
    assert len(found.transcripts) == 2
    for node in found.transcripts:
        views = found.views(node)
        assert not views.seen.any()
        bytes_ = views.numbers[:, : 256 * 768 * 8]
        assert bytes_.mean() == pytest.approx(0.5, abs=0.002)
        assert abs(np.corrcoef(bytes_)[0, 1]) < 0.01


def test_a_cloud_that_is_sent_the_whole_picture_is_shown_all_of_it(record):
    found = record("offload")
    (node,) = found.transcripts
    views = found.views(node)
    assert views.seen.all()
    assert np.abs(views.canvas - found.pictures).max() <= 0.5 / 255 + 1e-6


def test_where_no_cloud_has_anything_there_is_nothing_to_attack(record):
    with pytest.raises(PolicyError, match="no cloud receives or sends anything"):
        record("local")
