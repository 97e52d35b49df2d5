"""SAM by secret shares through executors, against the unsplit reference; and what nodes refuse."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from real_runner.errors import StepError
from sim.errors import CannotServeError
from sim.plan import Compute, Transfer
from sim.policies.shares import Shares
from sim.policy import UNTOUCHED, Progress
from tests.sim.policies.test_sharded import view_of
from topologies.shipped import load
from workloads.sam.shares import shared_rounds
from workloads.stage import Request

TOPOLOGY = load("jetson-16-clouds")
VIEW = view_of(TOPOLOGY)
EDGE = "jetson"


def planned(world, policy, progress=UNTOUCHED, view=VIEW):
    return policy.plan(Request(0, 0.0, EDGE, world.sam), progress, view)


def follow(steps, nodes, until=None):
    """Take steps in order, each node by its executor; return those done before a transfer fails.

    ``until`` is the number of transfers that arrive.
    """
    done = []
    for step in steps:
        if isinstance(step, Compute):
            nodes[step.node].run(0, step.stages)
        else:
            if until is not None and sum(isinstance(s, Transfer) for s in done) == until:
                return tuple(done)
            array = nodes[step.source].get(0, step.payload)
            nodes[step.target].put(0, step.payload, array)
        done.append(step)
    return tuple(done)


def fleet(world):
    """Return a node per name of the topology, the edge with a picture."""
    nodes = defaultdict(world.node)
    nodes[EDGE] = world.origin()
    return nodes


@pytest.mark.parametrize("blocks", ["all", 2, 0])
def test_three_clouds_by_shares_give_the_embedding_of_the_unsplit_model(odd, odd_embedding, blocks):
    nodes = fleet(odd)
    follow(planned(odd, Shares(3, blocks)).steps, nodes)
    assert len(nodes) == 4
    error = np.abs(odd.embedding(nodes[EDGE]) - odd_embedding).max()
    assert 0 < error < 1e-4
    unsplit = odd.origin()
    unsplit.run(0, tuple(link.stage for link in odd.sam.chain))
    differ = np.unpackbits(odd.mask(nodes[EDGE]) ^ odd.mask(unsplit)).mean()
    assert differ < 1e-4, "of 131,072 pixels some have a logit that is nearly 0"


def test_the_result_does_not_depend_on_the_shares_drawn_nor_on_their_number(odd):
    embeddings = []
    for clouds in (2, 2, 5):
        nodes = fleet(odd)
        follow(planned(odd, Shares(clouds)).steps, nodes)
        embeddings.append(odd.embedding(nodes[EDGE]))
    assert all(np.array_equal(embeddings[0], other) for other in embeddings[1:])


def test_a_lost_cloud_in_mid_run_is_survived_with_fresh_shares(odd, odd_embedding):
    policy, nodes = Shares(3), fleet(odd)
    plan = planned(odd, policy)
    done = follow(plan.steps, nodes, until=40)  # in the middle of a round
    lost = next(s.target for s in reversed(done) if isinstance(s, Transfer) and s.target != EDGE)
    world = replace(VIEW.estimates, down=frozenset({lost}))
    left = tuple(s for s in done if (s.node if isinstance(s, Compute) else s.target) != lost)
    progress = Progress(plans=1, finished=left, failures=1)
    again = planned(odd, policy, progress, replace(VIEW, estimates=world))
    del nodes[lost]
    follow(again.steps, nodes)
    assert lost not in nodes
    assert np.abs(odd.embedding(nodes[EDGE]) - odd_embedding).max() < 1e-4
    assert len(again.steps) < len(plan.steps) - 30, "what was put together stands"
    no_node_has_two_shares_of_one_sharing((*done, *again.steps), shares=3)


def no_node_has_two_shares_of_one_sharing(steps, shares):
    seen = defaultdict(set)
    for step in steps:
        if isinstance(step, Transfer) and step.payload.tensor == "share":
            seen[step.target, step.payload.first // shares].add(step.payload.first)
    assert seen
    assert all(len(numbers) == 1 for numbers in seen.values())


def test_products_of_a_plan_that_is_over_are_never_added_to_later_ones(odd, odd_embedding):
    """They arrive late, in the middle of the next plan, and change nothing."""
    nodes, policy = fleet(odd), Shares(2)
    done = follow(planned(odd, policy).steps, nodes, until=6)
    late = [s for s in done if isinstance(s, Transfer) and s.payload.tensor == "product"][-1]
    array = nodes[late.source].get(0, late.payload).copy()
    again = planned(odd, policy, Progress(1, done, (), 1))
    half = len(again.steps) // 2
    follow(again.steps[:half], nodes)
    nodes[EDGE].put(0, late.payload, array)
    follow(again.steps[half:], nodes)
    assert np.abs(odd.embedding(nodes[EDGE]) - odd_embedding).max() < 1e-4


def test_a_broken_off_step_can_be_taken_again(odd, odd_embedding):
    """A step that put a layer together but was not finished is repeated from its input."""
    nodes, policy = fleet(odd), Shares(2)
    plan = planned(odd, policy)
    for place, step in enumerate(plan.steps):
        if isinstance(step, Compute) and step.node == EDGE and place > len(plan.steps) // 2:
            break
    done = follow(plan.steps[:place], nodes)
    nodes[EDGE].run(0, step.stages)  # and nobody hears of it
    follow(planned(odd, policy, Progress(1, done, (), 1)).steps, nodes)
    assert np.abs(odd.embedding(nodes[EDGE]) - odd_embedding).max() < 1e-4


def test_fewer_shares_than_asked_for_are_never_drawn(odd):
    """Less privacy in silence would be worse than no answer."""
    down = frozenset(cloud.name for cloud in TOPOLOGY.clouds[2:])
    view = replace(VIEW, estimates=replace(VIEW.estimates, down=down))
    assert planned(odd, Shares(2), view=view)
    with pytest.raises(CannotServeError, match="2 clouds are up, and 3 shares need as many"):
        planned(odd, Shares(3), view=view)


@pytest.fixture(scope="module")
def first(odd):
    return shared_rounds(odd.sam, 2, 5)[0]


def test_a_sharing_is_drawn_once(odd, first):
    node = odd.origin()
    node.run(0, (first.share,))
    with pytest.raises(StepError, match=r"sam\.share: sharing 0 was drawn before; number it anew"):
        node.run(0, (first.share,))


def test_nothing_is_put_together_from_all_but_one(odd, first):
    node, cloud = odd.origin(), odd.node()
    node.run(0, (first.share,))
    cloud.put(0, first.up[0], node.get(0, first.up[0]))
    cloud.run(0, (first.compute[0],))
    node.put(0, first.down[0], cloud.get(0, first.down[0]))
    with pytest.raises(StepError, match=r"sam\.unshare: needs product 1; of shares here lie"):
        node.run(0, first.edge)
    with pytest.raises(StepError, match=r"sam\.share_product: needs share 1"):
        cloud.run(0, (first.compute[1],))


def test_malformed_shares_are_refused(odd, first):
    node, payload = odd.node(), first.up[0]
    size = int(payload.fixed_bytes)
    for wrong in (size - 8, size + 8):
        with pytest.raises(StepError, match=f"share: {wrong} bytes; give {size}"):
            node.put(0, payload, np.zeros(wrong, np.uint8))
    odd_rows = replace(payload, tokens=7)
    with pytest.raises(StepError, match="are no 7 equal rows"):
        node.put(0, odd_rows, np.zeros(size, np.uint8))
    narrow = replace(payload, fixed_bytes=size / 2)
    node.put(0, narrow, np.zeros(size // 2, np.uint8))
    with pytest.raises(StepError, match=r"a share of shape .*; give \(256, 768\)"):
        node.run(0, (first.compute[0],))
    with pytest.raises(StepError, match="bytes lie here"):
        node.get(0, payload)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": (("layer", 9.0), ("number", 0.0))}, "layer 9; give 0 to 4"),
        ({"settings": (("layer", 1.0), ("number", 0.0))}, r"blocks \(\); give one from 0 to 4"),
        ({"settings": ()}, "has no setting 'layer'"),
    ],
)
def test_layers_that_there_are_not_are_refused(odd, first, changes, words):
    with pytest.raises(StepError, match=words):
        odd.node().run(0, (replace(first.compute[0], **changes),))


def test_a_windowed_block_is_none_of_the_global_ones(odd):
    attention = shared_rounds(odd.sam, 2, 5)[1].edge[1]
    assert attention.kind == "sam.window_attention"
    with pytest.raises(StepError, match=r"blocks \(1,\) are not one of \(0, 2, 3\)"):
        odd.node().run(0, (replace(attention, blocks=(1,)),))


def test_one_share_alone_is_never_drawn(odd, first):
    alone = replace(first.share, settings=(("layer", 0), ("sharing", 0), ("shares", 1)))
    with pytest.raises(StepError, match="1 shares; one alone is the input"):
        odd.origin().run(0, (alone,))
