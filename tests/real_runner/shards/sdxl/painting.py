"""A small SDXL with drawn weights, its reference by `diffusers`' own pipeline, and its nodes."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


from real_runner.deployment import NodeSpec  # noqa: E402
from real_runner.executor import expected_shape  # noqa: E402
from real_runner.shards.packages import class_named, unwarned  # noqa: E402
from real_runner.shards.sdxl.architecture import (  # noqa: E402
    encoder_settings,
    unet_settings,
    vae_settings,
)
from real_runner.shards.sdxl.executor import SdxlExecutor  # noqa: E402
from real_runner.shards.sdxl.schedule import COMMON, KINDS  # noqa: E402
from real_runner.wire.codecs import decode, encode  # noqa: E402
from workloads.sdxl.model import Sdxl  # noqa: E402
from workloads.sdxl.variants import VARIANTS, Decoder, TextEncoder, Unet, Variant  # noqa: E402
from workloads.stage import Payload  # noqa: E402

TINY = Variant(
    "sdxl-tiny",
    encoders=(
        TextEncoder(16, 2, 32, vocabulary=20, tokens=7, head_dim=8),
        TextEncoder(
            24, 3, 32, projection=24, vocabulary=20, tokens=7, activation="gelu", padding=0,
            head_dim=8,
        ),
    ),
    unet=Unet(
        (16, 32), (0, 2), context=40, time=64, added=24 + 6 * 8, size_embedding=8, head_dim=8,
        groups=4,
    ),
    decoder=Decoder((16, 8), groups=4),
    scale=2,
)  # fmt: skip
SMALL = VARIANTS["sdxl-small"]
PROMPTS = np.array([[18, 3, 5, 9, 19, 19, 19], [18, 7, 19, 19, 19, 19, 19]], "<i4")
SEED = 2**40 + 3


def tiny(**changes: Any) -> Sdxl:
    return Sdxl(TINY, **{"steps": 4, "width_px": 64, "height_px": 32} | changes)


@dataclass(frozen=True)
class World:
    """Weights in a file, and a pipeline that has the same."""

    path: Path
    pipeline: Any

    def node(self, model: Sdxl, dtype: str = "fp32") -> SdxlExecutor:
        return SdxlExecutor(model, self.path, NodeSpec(dtype=dtype))

    def origin(self, model: Sdxl, job: int = 0, node: SdxlExecutor | None = None) -> SdxlExecutor:
        """Return a node that has the prompts and the seed, and has made all of them."""
        node = node or self.node(model)
        node.put(job, model.captured, prompt_bytes(model))
        node.put(job, Payload("seed", fixed_bytes=8.0), np.array([SEED], "<u8").view(np.uint8))
        node.run(job, (model.prepare, model.encode()))
        return node

    def reference(self, model: Sdxl, output: str = "latent", **changes: Any) -> np.ndarray:
        """Return what the pipeline makes of the same prompts, seed, steps and scheduler."""
        name, settings = KINDS[model.scheduler]
        pipeline = self.pipeline
        pipeline.scheduler = class_named("diffusers", name)(**COMMON, **settings)
        asked = {
            "prompt": "0",
            "negative_prompt": "1" if model.guidance else None,
            "height": model.height_px,
            "width": model.width_px,
            "num_inference_steps": model.steps,
            "guidance_scale": model.guidance_scale if model.guidance else 1.0,
            "generator": torch.Generator().manual_seed(SEED),
            "output_type": output,
        }
        with unwarned():
            images = pipeline(**asked | changes).images
        return np.asarray(images[0])


def prompt_bytes(model: Sdxl) -> np.ndarray:
    return PROMPTS[: model.prompts].copy().view(np.uint8).reshape(-1)


class Padding:
    """Stands in for a tokenizer's files: names of prompts to their tokens, padded its own way."""

    model_max_length = 7

    def __init__(self, padding: int) -> None:
        self._padding = padding

    def __call__(self, prompt: Any, **_: Any) -> Any:
        names = [prompt] if isinstance(prompt, str) else prompt
        rows = [self._padded(PROMPTS[int(name)]) for name in names]
        return SimpleNamespace(input_ids=torch.from_numpy(np.array(rows, np.int64)))

    def tokenize(self, prompt: str) -> list[str]:
        del prompt  # asked by the pipeline in search of what nobody has trained
        return []

    def _padded(self, tokens: np.ndarray) -> np.ndarray:
        behind = np.arange(len(tokens)) > int(np.argmax(tokens))
        return np.where(behind, self._padding, tokens)


def pipeline_of(variant: Variant, state: dict[str, Any]) -> Any:
    """Return diffusers' pipeline with these weights; its modules are built anew, not ours."""
    first, second = variant.encoders
    config = class_named("transformers", "CLIPTextConfig")
    modules = {
        "unet": class_named("diffusers", "UNet2DConditionModel")(**unet_settings(variant)),
        "vae": class_named("diffusers", "AutoencoderKL")(**vae_settings(variant)),
        "text_encoder": class_named("transformers", "CLIPTextModel")(
            config(**encoder_settings(first))
        ),
        "text_encoder_2": class_named("transformers", "CLIPTextModelWithProjection")(
            config(**encoder_settings(second))
        ),
    }
    for name, module in modules.items():
        prefix = f"{name}."
        own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        missing, unexpected = module.eval().load_state_dict(own, strict=False)
        assert not unexpected
        assert all(each.startswith(("encoder.", "quant_conv.")) for each in missing)
        assert not missing or name == "vae"
    pipeline = class_named("diffusers", "StableDiffusionXLPipeline")(
        **modules,
        tokenizer=None,
        tokenizer_2=None,
        scheduler=class_named("diffusers", "EulerDiscreteScheduler")(**COMMON),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def carry(
    source: SdxlExecutor, target: SdxlExecutor, payload: Payload, codec: str, job: int = 0
) -> None:
    """Let a payload travel as the wire has it: written with ``codec``, read as it was sent."""
    array = source.get(job, payload)
    if payload.elements:
        shape = expected_shape(payload)
        assert array.shape == shape
        array = decode(encode(array, codec), codec, shape, array.dtype.name)
    target.put(job, payload, array)


def told(edge: SdxlExecutor, cloud: SdxlExecutor, model: Sdxl, codec: str, job: int = 0) -> None:
    for payload in model.told:
        carry(edge, cloud, payload, codec, job)


def lockstep(
    model: Sdxl, edge: SdxlExecutor, cloud: SdxlExecutor, codec: str = "fp32", job: int = 0
) -> None:
    """Paint with both sides stepping, the noise coming down."""
    told(edge, cloud, model, codec, job)
    carry(edge, cloud, model.latent(0), "fp32", job)
    for done in range(model.steps):
        cloud.run(job, (model.denoise(done),))
        cloud.run(job, (model.schedule(done, codec),))
        carry(cloud, edge, model.noise(done), codec, job)
        edge.run(job, (model.schedule(done),))


def edge_steps(
    model: Sdxl, edge: SdxlExecutor, cloud: SdxlExecutor, codec: str = "fp32", job: int = 0
) -> None:
    """Paint with only the edge stepping, each latent going up, its noise coming down."""
    told(edge, cloud, model, codec, job)
    for done in range(model.steps):
        carry(edge, cloud, model.latent(done), codec, job)
        cloud.run(job, (model.denoise(done),))
        carry(cloud, edge, model.noise(done), codec, job)
        edge.run(job, (model.schedule(done),))


DESIGNS = {"lockstep": lockstep, "edge-scheduler": edge_steps}


def latent(node: SdxlExecutor, model: Sdxl, done: int | None = None, job: int = 0) -> np.ndarray:
    """Return a latent, (channels, height, width); the last one by default."""
    payload = model.latent(model.steps if done is None else done)
    return node.get(job, payload).reshape(-1, *model.latent_size)
