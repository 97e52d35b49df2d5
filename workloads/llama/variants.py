"""Every number of a Llama's architecture: the published ones here, any other from its file.

Source of the variants: ``config.json`` of meta-llama/Llama-2-7b-hf, -13b-hf and -70b-hf (Touvron
et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", 2023, arXiv 2307.09288, table 1). The
small one is our own, for runs on any machine: its tokens are bytes (`workloads.llama.text`).
"""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from workloads.errors import WorkloadError
from workloads.llama.text import BYTES

Count = Annotated[int, Field(ge=1)]
Token = Annotated[int, Field(ge=0)]
Base = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wavelengths of the rotary embedding that were made longer after training, for long texts.

    Those of which less than ``low`` fit into ``trained_positions`` are ``factor`` times as long,
    those of which more than ``high`` do are left alone, and between the two frequencies are
    interpolated. Infinite ``low`` and ``high`` stretch all alike.
    """

    factor: float
    low: float = inf
    high: float = inf
    trained_positions: int = 0


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of ``layers`` blocks; ``kv_heads`` below ``heads`` is grouped-query attention.

    ``tied`` says that the output projection is the embedding table, ``attention_bias`` and
    ``mlp_bias`` that the linear maps of each have one. ``norm_eps`` keeps norms from dividing by
    0, ``rope_theta`` is the base of the rotary embedding's wavelengths, which ``stretch`` may have
    made longer. Token ``begin`` opens a text, any of the tokens ``ends`` closes it.
    """

    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int = 32_000
    positions: int = 4_096
    tied: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    stretch: Stretch | None = None
    begin: int = 1
    ends: tuple[int, ...] = (2,)

    @property
    def inner(self) -> int:
        """Elements of all heads of one position: queries."""
        return self.heads * self.head_dim

    @property
    def kv_inner(self) -> int:
        """Elements of the keys of one position, and of its values."""
        return self.kv_heads * self.head_dim


VARIANTS = {
    variant.name: variant
    for variant in (
        Architecture("llama2-7b", 4096, 11_008, 32, 32, 32, 128),
        Architecture("llama2-13b", 5120, 13_824, 40, 40, 40, 128),
        Architecture("llama2-70b", 8192, 28_672, 80, 64, 8, 128),
        Architecture("llama-small", 384, 1024, 8, 6, 2, 64, vocabulary=BYTES, positions=2_048),
    )
}


class Rope(BaseModel):
    """How positions turn what they are the positions of, by any name that a file has had for it.

    Stretched as by S. Chen et al. 2023, arXiv 2306.15595 (``linear``), or as Llama 3.1 is (Dubey
    et al. 2024, arXiv 2407.21783; the factors are in its ``config.json``).
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    rope_type: str = Field(default="default", validation_alias=AliasChoices("rope_type", "type"))
    rope_theta: Base | None = None
    partial_rotary_factor: Literal[1] = 1
    factor: Base | None = None
    low_freq_factor: Base | None = None
    high_freq_factor: Base | None = None
    original_max_position_embeddings: Count | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.rope_type not in _STRETCHED_BY:
            raise ValueError(
                f"positions stretched by {self.rope_type!r} are not computed here; use a Llama "
                f"whose rope_type is one of {', '.join(_STRETCHED_BY)}"
            )
        for name in _STRETCHED_BY[self.rope_type]:
            if getattr(self, name) is None:
                raise ValueError(f"{name} is missing, which {self.rope_type!r} takes")
        if (self.high_freq_factor or inf) <= (self.low_freq_factor or 0):
            raise ValueError("high_freq_factor must be above low_freq_factor")
        return self

    @property
    def stretch(self) -> Stretch | None:
        """What it makes of wavelengths."""
        values = [getattr(self, name) for name in _STRETCHED_BY[self.rope_type]]
        return Stretch(*values) if values else None


_STRETCHED_BY = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
}
"""What each way to stretch takes, in the order of `Stretch`."""


class Configuration(BaseModel):
    """The keys of a ``config.json`` of `transformers` that costs go by; others are left alone.

    Up to version 4 that has ``rope_theta`` and ``rope_scaling``, from 5 on ``rope_parameters``.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    model_type: Literal["llama"]
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    vocab_size: Count
    max_position_embeddings: Count = 2048
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    rms_norm_eps: Annotated[float, Field(gt=0)] = 1e-6
    hidden_act: Literal["silu"] = "silu"
    rope_theta: Base = 10_000.0
    rope_scaling: Rope | None = None
    rope_parameters: Rope | None = None
    bos_token_id: Token = 1
    eos_token_id: Token | tuple[Token, ...] = 2

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of num_attention_heads "
                f"{self.num_attention_heads}; give head_dim"
            )
        if self.num_attention_heads % (self.num_key_value_heads or 1):
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} is no multiple of "
                f"num_key_value_heads {self.num_key_value_heads}; mend either"
            )
        return self

    def architecture(self, name: str) -> Architecture:
        """Return the architecture described, under ``name``."""
        ends, rope = self.eos_token_id, self.rope_parameters or self.rope_scaling or Rope()
        return Architecture(
            name,
            hidden=self.hidden_size,
            intermediate=self.intermediate_size,
            layers=self.num_hidden_layers,
            heads=self.num_attention_heads,
            kv_heads=self.num_key_value_heads or self.num_attention_heads,
            head_dim=self.head_dim or self.hidden_size // self.num_attention_heads,
            vocabulary=self.vocab_size,
            positions=self.max_position_embeddings,
            tied=self.tie_word_embeddings,
            attention_bias=self.attention_bias,
            mlp_bias=self.mlp_bias,
            norm_eps=self.rms_norm_eps,
            rope_theta=rope.rope_theta or self.rope_theta,
            stretch=rope.stretch,
            begin=self.bos_token_id,
            ends=ends if isinstance(ends, tuple) else (ends,),
        )


def read_architecture(path: Path) -> Architecture:
    """Return the architecture of a Llama's ``config.json``, named after its folder or file.

    Raises `WorkloadError`, naming the file and the field, for a file that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(f"workload.model: {path} cannot be read ({error})") from error
    try:
        found = Configuration.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise WorkloadError(
            f"{path}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}; "
            "give the config.json of a Llama"
        ) from error
    stem = path.resolve().parent.name if path.stem == "config" else path.stem
    return found.architecture(stem)
