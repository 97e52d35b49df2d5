import pytest

from workloads.codec import codec_named
from workloads.errors import WorkloadError


def test_affine_quantisation_adds_four_bytes_per_token():
    sizes = {name: codec_named(name).encoded_bytes(1000, 10) for name in ("fp32", "fp16", "int8")}
    assert sizes == {"fp32": 4000, "fp16": 2000, "int8": 1040}
    assert codec_named("int4").encoded_bytes(1000, 10) == 540


def test_fp8_adds_a_scale_per_token():
    assert codec_named("fp8").encoded_bytes(1000, 10) == 1020


def test_an_unknown_codec_is_refused_with_the_names_there_are():
    with pytest.raises(WorkloadError, match="codec: 'int3' is unknown; choose one of fp32, fp16"):
        codec_named("int3")
