"""What stages of SAM compute with on one node."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from real_runner.shards.board import Board
from real_runner.shards.decoder import Decoder
from real_runner.shards.encoder import Encoder
from real_runner.shards.noise import Words, cryptographic
from workloads.sam.model import Sam
from workloads.stage import Shard, Stage


@dataclass(frozen=True, slots=True)
class Kit:
    """What stages compute with: the model's description, its parts and where they compute.

    ``words`` is where noise comes from.
    """

    sam: Sam
    encoder: Encoder
    tile_encoder: Encoder
    decoder: Decoder
    dtype: torch.dtype
    device: torch.device
    words: Words = cryptographic

    def serving(self, sam: Sam) -> "Kit":
        """Return the same parts for pictures of another size, or more prompts."""
        return replace(self, sam=sam, decoder=Decoder(sam, self.decoder.module))

    def shard_of(self, stage: Stage) -> Shard:
        """Return the windows that a stage runs on."""
        return stage.shard or self.sam.whole


Handler = Callable[[Kit, Board, Stage], None]
"""Runs one kind of stage: what it reads, and what it makes, lie on the board of a request."""
