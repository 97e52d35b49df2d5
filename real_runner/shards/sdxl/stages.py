"""What each kind of stage does to the board of a request.

The denoiser's and the scheduler's steps are the loop of ``StableDiffusionXLPipeline.__call__``,
operation for operation, so that the last latent is the pipeline's to the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from real_runner.errors import StepError
from real_runner.executor import expected_shape
from real_runner.shards.arrays import numpy_of
from real_runner.shards.sdxl import head, pictures
from real_runner.shards.sdxl.board import Board
from real_runner.shards.sdxl.parts import Parts
from real_runner.shards.sdxl.schedule import Field, Schedule
from real_runner.wire.codecs import decode, encode
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload, Stage


@dataclass(frozen=True, slots=True)
class Kit:
    """What stages compute with: the model's description, its parts and where they compute."""

    model: Sdxl
    parts: Parts
    schedule: Schedule
    dtype: torch.dtype
    device: torch.device


def run(kit: Kit, board: Board, stage: Stage) -> None:
    """Run one stage; its result is left on the board. `StepError` where its inputs are not."""
    try:
        function = _STAGES[stage.kind]
    except KeyError:
        raise StepError(f"{stage.kind}: no stage of {kit.model.name}") from None
    function(kit, board, stage)


def prepare(_kit: Kit, board: Board, stage: Stage) -> None:
    """Do nothing: prompts come as token numbers."""
    if board.prompts is None:
        raise board.lacking("the prompts", stage.kind)


def encode_prompts(kit: Kit, board: Board, stage: Stage) -> None:
    """Make what the denoiser is told, and draw the first latent."""
    if board.prompts is None:
        raise board.lacking("the prompts", stage.kind)
    told = head.told(kit.model, kit.parts.encoders, board.prompts)
    board.embedding, board.pooled = told
    board.sizes = head.sizes(kit.model)
    board.latents[0] = head.first_latent(
        kit.model, board.seed, kit.schedule.spread, kit.dtype, kit.device
    )


def denoise(kit: Kit, board: Board, stage: Stage) -> None:
    """Predict the noise in a latent, of both prompts at once, and combine them."""
    done = _made(stage).blocks_done
    latent = board.latent(done, stage.kind)
    if board.embedding is None or board.pooled is None or board.sizes is None:
        raise board.lacking("embedding, pooled embedding and sizes", stage.kind)
    inputs = torch.cat([latent] * kit.model.prompts) if kit.model.guidance else latent
    added = {
        "text_embeds": board.pooled,
        "time_ids": torch.from_numpy(board.sizes).to(kit.device, kit.dtype),
    }
    noise = kit.parts.unet(
        kit.schedule.scaled(inputs, done),
        kit.schedule.time(done),
        encoder_hidden_states=board.embedding,
        added_cond_kwargs=added,
        return_dict=False,
    )[0]
    if kit.model.guidance:
        avoided, followed = noise.chunk(2)
        noise = avoided + kit.model.guidance_scale * (followed - avoided)
    board.write_noise(done, noise)


def schedule(kit: Kit, board: Board, stage: Stage) -> None:
    """Take a step of the scheduler, on the noise as it is or as ``stage.codec`` leaves it."""
    done = _made(stage).blocks_done - 1
    if stage.codec:
        noise = board.noise(done, stage.kind)
        board.read_back[done] = read_back(noise, kit.model.noise(done), stage.codec)
    steps = range(max(0, done - kit.schedule.looks_back), done + 1)
    fields = [Field(board.latent(each, stage.kind), _noise(board, each, stage)) for each in steps]
    board.latents[done + 1] = kit.schedule.step(done, fields)


def decode_latent(kit: Kit, board: Board, stage: Stage) -> None:
    """Turn the last latent into the picture."""
    board.image = pictures.decoded(kit.parts.vae, board.latent(kit.model.steps, stage.kind))


def preview(kit: Kit, board: Board, stage: Stage) -> None:
    """Turn a latent on the way into a small picture."""
    done = _made(stage).blocks_done
    latent = pictures.shrunk(board.latent(done, stage.kind))
    board.previews[done] = pictures.decoded(kit.parts.vae, latent)


def read_back(tensor: torch.Tensor, payload: Payload, codec: str) -> torch.Tensor:
    """Return a tensor as whoever gets it as ``payload``, written with ``codec``, has it."""
    array = numpy_of(tensor).reshape(expected_shape(payload))
    received = decode(encode(array, codec), codec, array.shape, array.dtype.name)
    return torch.from_numpy(received).reshape(tensor.shape).to(tensor)


def _noise(board: Board, done: int, stage: Stage) -> torch.Tensor:
    found = board.read_back.get(done)
    return board.noise(done, stage.kind) if found is None else found


def _made(stage: Stage) -> Payload:
    if stage.makes is None:
        raise StepError(f"{stage.kind}: does not say which step it is; give what it makes")
    return stage.makes


_STAGES: dict[str, Callable[[Kit, Board, Stage], None]] = {
    "sdxl.prepare": prepare,
    "sdxl.encode": encode_prompts,
    "sdxl.denoise": denoise,
    "sdxl.schedule": schedule,
    "sdxl.decode": decode_latent,
    "sdxl.preview": preview,
}
