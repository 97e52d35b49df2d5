"""What changes a model's numbers in a course of training, as its orders say."""

from typing import Any, Final

import torch
from torch import nn

from experiments.laboratory.training.orders import Optimiser

DECAY: Final = 0.05
MOMENTA: Final = (0.9, 0.95)


class Optimisers:
    """Optimisers of PyTorch's that share a model's numbers among them, as if they were one.

    ``adamw`` has all of them (Loshchilov and Hutter 2019, arXiv 1711.05101). With ``muon`` the
    matrices of linear layers in the encoder and in the decoder's transformer change by orthogonal
    steps instead (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/), as long as
    AdamW's are (Liu et al. 2025, arXiv 2502.16982), so that one ``rate`` is right for both.
    """

    def __init__(self, kind: Optimiser, sam: Any, rate: float) -> None:
        matrices = _matrices(sam) if kind == "muon" else []
        theirs = {id(each) for each in matrices}
        others = [each for each in sam.parameters() if id(each) not in theirs]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, rate, betas=MOMENTA, weight_decay=DECAY, fused=True)
        ]
        if matrices:
            self._all.append(
                torch.optim.Muon(matrices, rate, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
            )

    def step(self, rate: float) -> None:
        """Change the model by what its gradients say, and forget those."""
        for each in self._all:
            for group in each.param_groups:
                group["lr"] = rate
            each.step()
            each.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what is needed to go on later."""
        return [each.state_dict() for each in self._all]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on from what `state_dict` returned."""
        for each, its in zip(self._all, state, strict=True):
            each.load_state_dict(its)


def _matrices(sam: Any) -> list[nn.Parameter]:
    parts = (sam.image_encoder, sam.mask_decoder.transformer)
    layers = (layer for part in parts for layer in part.modules())
    return [layer.weight for layer in layers if isinstance(layer, nn.Linear)]
