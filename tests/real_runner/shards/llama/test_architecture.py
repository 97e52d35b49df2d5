import torch

from real_runner.shards.llama.architecture import config_of, rotary
from real_runner.shards.packages import class_named
from tests.real_runner.shards.llama.conftest import TINY


def test_angles_are_those_of_transformers():
    name = "transformers.models.llama.modeling_llama"
    module = class_named(name, "LlamaRotaryEmbedding")(config_of(TINY))
    numbers = torch.arange(TINY.positions)[None]
    wanted = module(torch.zeros((), dtype=torch.float32), numbers)
    for ours, theirs in zip(rotary(TINY, TINY.positions, torch.device("cpu")), wanted, strict=True):
        assert torch.equal(ours, theirs[0])
