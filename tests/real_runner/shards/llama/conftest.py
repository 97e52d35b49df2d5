"""A small Llama of `transformers` with drawn weights, and its parts on nodes of their own."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from real_runner.deployment import NodeSpec
from real_runner.shards.llama.architecture import config_of
from real_runner.shards.llama.executor import LlamaExecutor
from real_runner.shards.llama.weights import drawn, prepare
from real_runner.shards.packages import class_named
from tests.computing import one_thread
from workloads.llama.model import Llama, tokens
from workloads.llama.variants import Architecture
from workloads.stage import Payload

TINY = Architecture("tiny", 48, 80, 5, 6, 2, 16, vocabulary=97, positions=512)
SPEC = NodeSpec()
JOB = 7


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="session")
def model():
    return Llama(TINY, 8, 64, "fp32")


@pytest.fixture(scope="session")
def weights(model, tmp_path_factory):
    return prepare(model, None, 3, tmp_path_factory.mktemp("weights") / "weights.safetensors")


@pytest.fixture(scope="session")
def unsplit():
    reference = class_named("transformers", "LlamaForCausalLM")(config_of(TINY)).eval()
    missing, unexpected = reference.load_state_dict(drawn(TINY, 3), strict=False)
    assert not missing
    assert not unexpected
    return reference


def prompt_of(seed, count):
    return np.random.default_rng(seed).integers(3, TINY.vocabulary, count).tolist()


def greedy(unsplit, prompt, count):
    """Return the tokens of the unsplit model, each from the whole text anew."""
    text = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            logits = unsplit(torch.tensor([text]), use_cache=False).logits
            text.append(int(logits[0, -1].argmax()))
    return text[len(prompt) :]


def as_bytes(numbers):
    return np.array(numbers, "<i4").view(np.uint8)


@dataclass
class Parts:
    """Edge and middles of one cut, their arrays handed over as transfers would."""

    model: Llama
    weights: object
    cuts: tuple[int, ...]
    edge: LlamaExecutor = None
    middles: list = field(default_factory=list)
    sent: int = 0

    def __post_init__(self):
        self.edge = LlamaExecutor(self.model, self.weights, SPEC)
        count = len(self.cuts) - 1
        self.middles = [LlamaExecutor(self.model, self.weights, SPEC) for _ in range(count)]

    def ask(self, prompt, job=JOB, seed=0):
        llama = replace(self.model, prompt_tokens=len(prompt))
        self.edge.put(job, llama.captured, as_bytes(prompt))
        self.edge.put(job, Payload("seed", fixed_bytes=8.0), np.array([seed], "<u8").view(np.uint8))

    def round(self, new, past, tokens_=1, job=JOB, guesses=0, sent=None, sent_past=None):
        """Run one round and return what the tail made."""
        llama, (a, *_, b) = self.model, self.cuts
        sent, sent_past = sent or new, past if sent_past is None else sent_past
        head = (llama.head(a, new, past),)
        self.edge.run(job, (llama.draft(guesses, past), *head) if guesses else head)
        rows = self.edge.get(job, llama.hidden(sent, a, sent_past))
        for middle, first, last in zip(self.middles, self.cuts, self.cuts[1:], strict=False):
            middle.put(job, llama.hidden(sent, first, sent_past), rows)
            middle.run(job, (llama.middle(first, last, sent, sent_past),))
            rows = middle.get(job, llama.hidden(sent, last, sent_past))
        self.edge.put(job, llama.hidden(sent, b, sent_past), rows)
        return self.edge.run(job, (llama.tail(b, new, past, tokens=tokens_),)).tokens

    def write(self, prompt, count, job=JOB, draft=0):
        """Write an answer round by round and return it."""
        self.ask(prompt, job)
        answer = list(self.round(len(prompt), 0, job=job))
        while len(answer) < count:
            past = len(prompt) + len(answer) - 1
            size = min(draft + 1, count - len(answer))
            answer += self.round(size, past, size, job, size - 1)
        kept = self.edge.get(job, tokens(count))
        assert kept.view("<i4").tolist() == answer
        return answer
