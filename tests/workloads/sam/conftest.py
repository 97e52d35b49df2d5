"""The reference implementation, imported where torchvision's compiled operators do not load."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def segment_anything() -> ModuleType:
    pytest.importorskip("torch")
    operators = pytest.importorskip("real_runner.shards.operators")
    return operators.import_segment_anything()
