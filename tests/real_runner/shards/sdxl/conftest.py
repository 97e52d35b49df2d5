"""A small SDXL with drawn weights, and a pipeline that has the same."""

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from safetensors.torch import load_file  # noqa: E402

from real_runner.shards.sdxl import weights  # noqa: E402
from tests.computing import one_thread  # noqa: E402
from tests.real_runner.shards.sdxl.painting import (  # noqa: E402
    TINY,
    Padding,
    World,
    pipeline_of,
    tiny,
)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    path = tmp_path_factory.mktemp("sdxl") / "tiny.safetensors"
    assert weights.prepare(tiny(), None, 5, path) == path
    pipeline = pipeline_of(TINY, load_file(path))
    pipeline.tokenizer, pipeline.tokenizer_2 = Padding(19), Padding(0)
    return World(path, pipeline)
