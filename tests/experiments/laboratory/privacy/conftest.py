"""A model by chance, four clouds, and a few scenes: enough to see who is told what."""

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.recording import Recorder
from experiments.laboratory.privacy.showing import Showing
from experiments.scenarios.loader import load
from real_runner.deployment import NodeSpec
from real_runner.shards import weights
from real_runner.shards.saving import save
from tests.computing import one_thread
from workloads.catalogue import model_named
from workloads.scenes import Look, scene


@pytest.fixture(scope="package")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    state = weights.drawn(model_named("sam-small").variant, 0)
    save({n: t for n, t in state.items() if not n.startswith(weights.TILE_PREFIX)}, path)
    return path


@pytest.fixture
def record(checkpoint):
    """Return a function from a policy to what its clouds held of a few scenes."""

    def recorded(policy, count=3, settings=()):
        scenario = load("small-sam", settings, policy)
        untrusted = [node.name for node in scenario.topology.nodes if not node.trusted]
        examiner = Examiner(scenario, checkpoint, NodeSpec(dtype="fp32"))
        showing = Showing(scenario.workload.model, weights.read(checkpoint))
        recorder = Recorder(examiner, scenario.policy, untrusted, showing)
        with one_thread():
            scenes = (scene(Look(side_px=256), 0, "test", index) for index in range(count))
            named = ((str(place), each.picture) for place, each in enumerate(scenes))
            return recorder.record(named, count, lambda: None)

    return recorded
