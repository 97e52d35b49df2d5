"""Llama in three parts over the wire: the same text, whoever writes it, whatever befalls them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from experiments.fidelity.beliefs import as_believed  # noqa: E402
from real_runner.deployment import Deployment, NodeSpec  # noqa: E402
from real_runner.orchestration.prompts import Asked  # noqa: E402
from real_runner.runner import RealRunner  # noqa: E402
from real_runner.shards.llama.architecture import config_of  # noqa: E402
from real_runner.shards.llama.weights import drawn  # noqa: E402
from real_runner.shards.packages import class_named  # noqa: E402
from sim.engine.simulator import Simulator  # noqa: E402
from sim.faults import Fault, FaultPlan  # noqa: E402
from sim.policies.generating import CloudOnly, EdgeOnly  # noqa: E402
from sim.policies.lambda_split import LambdaSplit, Pipelined  # noqa: E402
from sim.tables import Tables  # noqa: E402
from sim.trace import FINISHED  # noqa: E402
from tests.real_runner.conftest import in_turn  # noqa: E402
from topologies.serving import Batching, MemoryLimit, Serving  # noqa: E402
from workloads.lengths import Uniform  # noqa: E402
from workloads.llama.model import Llama  # noqa: E402
from workloads.llama.sampling import Sampling  # noqa: E402
from workloads.llama.variants import Architecture  # noqa: E402

TINY = Architecture("tiny", 48, 80, 5, 6, 2, 16, vocabulary=97, positions=512)
POSITION_BYTES = 4 * TINY.hidden
NATIVE = Deployment(default=NodeSpec())


class Texts:
    """What came of the requests of one run; prompts are kept, to be written by others too."""

    def __init__(self) -> None:
        self.prompts: dict[int, list[int]] = {}
        self.answers: dict[int, list[int]] = {}
        self.pieces: dict[int, list[tuple[int, tuple[int, ...]]]] = defaultdict(list)

    def clear(self) -> None:
        for kept in (self.prompts, self.answers, self.pieces):
            kept.clear()

    def asking(self, request) -> Asked:
        rng = np.random.default_rng([9, request.index])
        prompt = rng.integers(3, TINY.vocabulary, request.model.prompt_tokens).tolist()
        self.prompts[request.index] = prompt
        return Asked(tuple(prompt), seed=request.index)

    def answered(self, request, content: bytes) -> None:
        self.answers[request.index] = np.frombuffer(content, "<i4").tolist()

    def written(self, request, place: int, tokens: tuple[int, ...]) -> None:
        self.pieces[request.index].append((place, tokens))


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


@pytest.fixture(scope="module")
def runner(texts: Texts) -> Iterator[RealRunner]:
    with RealRunner(
        NATIVE, asking=texts.asking, answered=texts.answered, written=texts.written
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def _afresh(texts: Texts) -> None:
    texts.clear()


@pytest.fixture(scope="module")
def unsplit():
    reference = class_named("transformers", "LlamaForCausalLM")(config_of(TINY)).eval()
    reference.load_state_dict(drawn(TINY, 0))
    return reference


def written(unsplit, prompt, count):
    with torch.inference_mode():
        every = unsplit.generate(
            torch.tensor([prompt]), max_new_tokens=count, do_sample=False, eos_token_id=None,
            pad_token_id=0,
        )  # fmt: skip
    return every[0, len(prompt) :].tolist()


def texts_of(policy, output=40, requests=1, clients=1, prompt=12, **changes):
    model = Llama(TINY, prompt, output, "fp32")
    return in_turn(policy, requests, clients, model=model, **changes)


def exact(**options):
    return LambdaSplit(codec="fp32", **options)


@pytest.mark.parametrize("draft", [0, 4])
def test_200_tokens_are_those_of_the_unsplit_model(runner, texts, unsplit, draft):
    trace = runner.run(texts_of(exact(a=1, b=4, draft=draft), output=200))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    assert texts.answers[0] == written(unsplit, texts.prompts[0], 200)
    (row,) = Tables(trace).requests().to_dict("records")
    assert row["tokens"] == 200


@pytest.mark.parametrize("cut", [(a, b) for a in range(1, 5) for b in range(a, 5)])
def test_at_every_cut_it_is_the_same_text(runner, texts, unsplit, cut):
    runner.run(texts_of(exact(a=cut[0], b=cut[1]), output=25))
    assert texts.answers[0] == written(unsplit, texts.prompts[0], 25)


def test_several_texts_of_mixed_lengths_at_a_time_are_each_its_own(runner, texts, unsplit):
    scenario = texts_of(exact(draft=2), output=30, requests=6, clients=3, prompt=40)
    varying = (("prompt_tokens", Uniform(3, 40)),)
    trace = runner.run(replace(scenario, workload=replace(scenario.workload, varying=varying)))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED] * 6
    assert len({len(prompt) for prompt in texts.prompts.values()}) > 2
    wanted = {index: written(unsplit, prompt, 30) for index, prompt in texts.prompts.items()}
    assert texts.answers == wanted


@pytest.mark.parametrize("policy", [Pipelined(codec="fp32"), CloudOnly(), EdgeOnly()])
def test_so_it_is_pipelined_over_several_clouds_or_written_by_one_node_alone(
    runner, texts, unsplit, policy
):
    trace = runner.run(texts_of(policy, output=25))
    assert texts.answers[0] == written(unsplit, texts.prompts[0], 25)
    computing = set(Tables(trace).steps().query("kind == 'compute'")["node"])
    assert len(computing) == {Pipelined: 4, CloudOnly: 1, EdgeOnly: 1}[type(policy)]


def test_a_prompt_in_pieces_and_a_lossy_codec_write_a_text_too(runner, texts, unsplit):
    runner.run(texts_of(exact(chunk=5), output=20))
    assert texts.answers[0] == written(unsplit, texts.prompts[0], 20)
    trace = runner.run(texts_of(LambdaSplit(codec="int8"), output=20))
    (row,) = Tables(trace).requests().to_dict("records")
    assert (row["outcome"], row["tokens"]) == (FINISHED, 20)
    assert row["bytes_up"] == (12 + 19) * (TINY.hidden + 4)


def test_what_travels_is_what_the_formula_says_in_both_worlds(runner):
    scenario = texts_of(exact(), output=30)
    for trace in (runner.run(scenario), Simulator().run(scenario)):
        (row,) = Tables(trace).requests().to_dict("records")
        assert row["bytes_up"] == row["bytes_down"] == (12 + 29) * POSITION_BYTES
        held = Tables(trace).holdings()
        assert held["tensor"].tolist() == ["hidden"]
        assert (held["depth_least"].item(), held["depth_most"].item()) == (1, 4)


def test_tokens_are_told_as_they_come_each_once_and_in_their_place(runner, texts):
    runner.run(texts_of(exact(draft=3), output=40))
    pieces = texts.pieces[0]
    assert [place for place, _ in pieces] == np.cumsum(
        [0, *(len(tokens) for _, tokens in pieces[:-1])]
    ).tolist()
    assert [token for _, tokens in pieces for token in tokens] == texts.answers[0]


@pytest.mark.parametrize("draft", [0, 4])
def test_a_cloud_that_is_killed_in_mid_text_costs_time_and_no_token(runner, texts, unsplit, draft):
    scenario = as_believed(texts_of(exact(draft=draft), output=400))
    calm = runner.run(scenario)
    (cloud,) = Tables(calm).exposure()["node"]
    latency_s = calm.outcomes[0].latency_s
    crash = FaultPlan((Fault(0.2 * latency_s, cloud, "crash"),))
    trace = runner.run(replace(scenario, faults=crash))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    assert texts.answers[0] == written(unsplit, texts.prompts[0], 400)
    tables = Tables(trace)
    (row,) = tables.requests().to_dict("records")
    assert row["tokens"] == 400
    (before,) = Tables(calm).requests().to_dict("records")
    assert row["bytes_up"] > before["bytes_up"], "what the dead cloud had is sent once more"
    assert tables.exposure()["node"].nunique() == 2


def test_sampling_by_seed_is_the_same_text_with_guesses_and_without(texts):
    model = Llama(TINY, 12, 40, "fp32", Sampling(temperature=1.0, top_p=0.9))
    found = []
    with RealRunner(NATIVE, asking=texts.asking, answered=texts.answered) as runner:
        for policy in (exact(), exact(draft=4, a=2, b=3), EdgeOnly()):
            runner.run(in_turn(policy, model=model))
            found.append(texts.answers.pop(0))
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 10


def test_the_end_token_ends_an_answer(texts, unsplit):
    probe = texts_of(exact(), output=200)
    prompt = texts.asking(next(iter(probe.requests(0)))).tokens
    wanted = written(unsplit, list(prompt), 200)
    ending = replace(TINY, ends=(TINY.vocabulary - 1, wanted[20]))
    length = min(wanted.index(token) for token in ending.ends if token in wanted) + 1
    model = Llama(ending, 12, 200, "fp32", Sampling(stop=True))
    with RealRunner(NATIVE, asking=texts.asking, written=texts.written) as runner:
        for policy in (exact(), exact(draft=4)):
            texts.pieces.clear()
            trace = runner.run(in_turn(policy, model=model))
            assert [token for _, tokens in texts.pieces[0] for token in tokens] == wanted[:length]
            (row,) = Tables(trace).requests().to_dict("records")
            assert (row["outcome"], row["tokens"]) == (FINISHED, length)


def test_texts_share_passes_and_find_their_caches_gone_and_are_right_all_the_same(texts, unsplit):
    scenario = texts_of(exact(), output=30, requests=6, clients=3)
    room = round(2.5 * scenario.workload.model.kv_bytes(3) * 64)
    serving = Serving(batch=Batching(2, wait_s=0.05), memory=MemoryLimit(caches_bytes=room))
    nodes = tuple(
        replace(node, serving=serving) if node.role == "cloud" else node
        for node in scenario.topology.nodes
    )
    topology = replace(scenario.topology, nodes=nodes)
    faults = replace(scenario.faults, plans=1000)
    with RealRunner(NATIVE, asking=texts.asking, answered=texts.answered) as runner:
        trace = runner.run(replace(scenario, topology=topology, faults=faults))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED] * 6
    wanted = {index: written(unsplit, prompt, 30) for index, prompt in texts.prompts.items()}
    assert texts.answers == wanted
    assert {incident.kind for incident in trace.incidents} == {"lost-step"}
    assert all("are gone; send" in incident.detail for incident in trace.incidents)
    steps = Tables(trace).steps().query("stage == 'llama.middle' and outcome == 'finished'")
    shared = steps.groupby(["node", "start_s", "end_s"]).size()
    assert shared.max() > 1, "rounds of several texts at once"
