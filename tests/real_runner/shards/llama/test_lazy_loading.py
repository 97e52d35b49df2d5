"""A node reads what its part needs, and no more."""

import numpy as np
import pytest

from real_runner.shards.llama.executor import LlamaExecutor
from tests.real_runner.shards.llama.conftest import JOB, SPEC, as_bytes, prompt_of
from workloads.llama.model import Llama

TABLES = ("lm_head.weight", "model.embed_tokens.weight", "model.norm.weight")


@pytest.fixture
def executor(model, weights):
    return LlamaExecutor(model, weights, SPEC)


def read(executor):
    return executor.loaded, executor._layers.tables


def test_nothing_is_read_before_the_first_stage(executor):
    assert read(executor) == ((), ())


def test_a_middle_reads_its_layers_and_no_table(executor, model):
    rows = np.ones((3, model.architecture.hidden), np.float32)
    executor.put(JOB, model.hidden(3, 2), rows)
    executor.run(JOB, (model.middle(2, 4, 3, 0),))
    assert read(executor) == ((2, 3), ())


def test_a_head_reads_the_embedding_and_a_tail_the_output(executor, model):
    llama = Llama(model.architecture, 3, 8, "fp32")
    executor.put(JOB, llama.captured, as_bytes(prompt_of(1, 3)))
    executor.run(JOB, (model.head(1, 3, 0),))
    assert read(executor) == ((0,), TABLES[1:2])
    rows = np.ones((3, model.architecture.hidden), np.float32)
    executor.put(JOB, model.hidden(3, 4), rows)
    executor.run(JOB, (model.tail(4, 2, 0, tokens=0),))
    assert read(executor) == ((0, 4), TABLES[1:2]), "a prompt's pieces are followed by no token"
    executor.run(JOB, (model.tail(4, 1, 2),))
    assert read(executor) == ((0, 4), TABLES)
