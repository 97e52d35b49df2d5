"""A Llama as a workload: one prompt and its answer, in any three parts.

The head is the embedding and layers [0, a), the middle layers [a, b), the tail layers [b, L), final
norm, output projection and the choice of the next token. Each part keeps keys and values of its own
layers, so a round runs only the positions that are ``new`` on top of those ``past``.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from workloads.errors import WorkloadError
from workloads.llama import costs
from workloads.llama.acceptance import NEVER, Acceptance
from workloads.llama.sampling import GREEDY, Sampling
from workloads.llama.variants import Architecture
from workloads.stage import ChainLink, Payload, Stage
from workloads.work import PRECISION_BYTES, Work, require_precision, stage_of

TOKEN_BYTES = 4
"""Of a token's number, as it travels."""


@dataclass(frozen=True, slots=True)
class Llama:
    """``prompt_tokens`` in, ``output_tokens`` out, of one Llama; a `workloads.stage.Model`.

    ``precision`` is that of arithmetic, weights and cache. ``sampling`` is how tokens are chosen.
    ``drafter`` guesses tokens ahead where a policy asks for that: a smaller Llama, or, without one,
    a search for what followed the last tokens before. ``acceptance`` says how many of the guesses
    hold where no real text decides. Raises `WorkloadError` for impossible values.
    """

    architecture: Architecture
    prompt_tokens: int = 16
    output_tokens: int = 300
    precision: str = "fp16"
    sampling: Sampling = GREEDY
    drafter: Architecture | None = None
    acceptance: Acceptance = NEVER

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "output_tokens"):
            if getattr(self, name) < 1:
                raise WorkloadError(f"text.{name}: {getattr(self, name)!r}; give at least 1")
        longest = self.architecture.positions
        if self.prompt_tokens + self.output_tokens > longest:
            raise WorkloadError(
                f"text: {self.prompt_tokens} tokens in and {self.output_tokens} out are more than "
                f"the {longest} positions of {self.name}; ask for fewer"
            )
        require_precision("llama.precision", self.precision)
        if self.drafter and self.drafter.vocabulary != self.architecture.vocabulary:
            raise WorkloadError(
                f"text.drafter: {self.drafter.name} knows {self.drafter.vocabulary} tokens and "
                f"{self.name} {self.architecture.vocabulary}; give one with the same vocabulary"
            )
        if self.drafter and self.prompt_tokens + self.output_tokens > self.drafter.positions:
            raise WorkloadError(
                f"text.drafter: {self.drafter.name} has {self.drafter.positions} positions, too "
                f"few for {self.prompt_tokens} tokens in and {self.output_tokens} out; ask for "
                "fewer"
            )

    @property
    def name(self) -> str:
        """The architecture's name."""
        return self.architecture.name

    @property
    def layers(self) -> int:
        """How many layers there are to split."""
        return self.architecture.layers

    @property
    def shard_fractions(self) -> tuple[float, ...]:
        """The prompt is one part: nodes hold it or do not."""
        return (1.0,)

    @property
    def captured(self) -> Payload:
        """The prompt as token numbers."""
        count = self.prompt_tokens
        return Payload("prompt", (0,), tokens=count, fixed_bytes=float(TOKEN_BYTES * count))

    @property
    def model_input(self) -> Payload:
        """The prompt; nothing is lost in preparing it."""
        return self.captured

    @property
    def prepare(self) -> Stage:
        """Look at the prompt: tokenisation is work of the processor, too little to count."""
        size_bytes = self.captured.fixed_bytes
        return Stage("llama.prepare", 0.0, size_bytes, precision=self.precision)

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        """The unsplit model's rounds: one that reads the prompt, then one per token."""
        return _chain(self)

    def hidden(self, positions: int, depth: int, first: int = 0) -> Payload:
        """Return hidden states of so many positions from ``first`` on after ``depth`` layers.

        >>> from workloads.codec import CODECS
        >>> from workloads.llama.variants import VARIANTS
        >>> Llama(VARIANTS["llama2-7b"]).hidden(1, 1).encoded_bytes(CODECS["fp16"])
        8192.0
        """
        return _hidden(self.architecture, positions, depth, first)

    def head(self, a: int, new: int, past: int) -> Stage:
        """Return embedding and layers [0, a)."""
        return _head(self.architecture, self.precision, a, new, past)

    def middle(self, first: int, last: int, new: int, past: int) -> Stage:
        """Return layers [first, last)."""
        return _middle(self.architecture, self.precision, first, last, new, past)

    def tail(self, b: int, new: int, past: int, *, tokens: int = 1) -> Stage:
        """Return layers [b, L) and the choice of a token at each of the last ``tokens`` positions.

        ``tokens`` is 0 while the prompt has not been read to its end. Where it is more than 1, all
        positions but the first hold guesses, and a choice counts only where all guesses before it
        were right.
        """
        return _tail(self.architecture, self.precision, b, new, past, tokens)

    def whole(self, new: int, past: int, *, tokens: int = 1) -> Stage:
        """Return the unsplit model; ``tokens`` as in `tail`."""
        return _whole(self.architecture, self.precision, new, past, tokens)

    def draft(self, guesses: int, past: int) -> Stage:
        """Return guessing what follows the token at position ``past``, so many tokens of it."""
        return _draft(self.drafter, self.precision, guesses, past)

    def kv_bytes(self, layers: int) -> float:
        """Return what one position takes in the caches of so many layers.

        >>> from workloads.llama.variants import VARIANTS
        >>> Llama(VARIANTS["llama2-7b"]).kv_bytes(32), Llama(VARIANTS["llama2-70b"]).kv_bytes(80)
        (524288.0, 327680.0)
        """
        return _cached_bytes(self.architecture, self.precision, layers, 1)


def _cached_bytes(model: Architecture, precision: str, layers: int, positions: int) -> float:
    elements = positions * costs.kv_elements(model, layers)
    return float(PRECISION_BYTES[precision] * elements)


@lru_cache(maxsize=1 << 14)
def tokens(count: int, first: int = 0) -> Payload:
    """Return so many tokens of the answer, from the one in place ``first`` on."""
    size_bytes = float(TOKEN_BYTES * count)
    return Payload("token", tokens=count, fixed_bytes=size_bytes, first=first)


@lru_cache(maxsize=1 << 14)
def _hidden(model: Architecture, positions: int, depth: int, first: int) -> Payload:
    elements = positions * model.hidden
    return Payload("hidden", (), elements, positions, depth, mixes=True, first=first)


@lru_cache(maxsize=1 << 14)
def _head(model: Architecture, precision: str, a: int, new: int, past: int) -> Stage:
    work = costs.embedding(model, new) + costs.layer(model, new, past).times(a)
    table = costs.table_parameters(model)
    return stage_of(
        "llama.head",
        work,
        precision,
        blocks=range(a),
        makes=_hidden(model, new, a, past),
        unread=table,
        positions=(past, past + new),
        cache_bytes=_cached_bytes(model, precision, a, past + new),
    )


@lru_cache(maxsize=1 << 14)
def _middle(
    model: Architecture, precision: str, first: int, last: int, new: int, past: int
) -> Stage:
    work = costs.layer(model, new, past).times(last - first)
    return stage_of(
        "llama.middle",
        work,
        precision,
        blocks=range(first, last),
        makes=_hidden(model, new, last, past),
        positions=(past, past + new),
        cache_bytes=_cached_bytes(model, precision, last - first, past + new),
    )


@lru_cache(maxsize=1 << 14)
def _tail(model: Architecture, precision: str, b: int, new: int, past: int, chosen: int) -> Stage:
    work = costs.layer(model, new, past).times(model.layers - b)
    work += costs.logits(model, chosen) if chosen else Work()
    return stage_of(
        "llama.tail",
        work,
        precision,
        blocks=range(b, model.layers),
        makes=tokens(chosen) if chosen else _hidden(model, new, model.layers, past),
        unread=0 if chosen else costs.logits(model, 1).parameters,
        positions=(past, past + new),
        cache_bytes=_cached_bytes(model, precision, model.layers - b, past + new),
    )


@lru_cache(maxsize=1 << 14)
def _whole(model: Architecture, precision: str, new: int, past: int, chosen: int) -> Stage:
    work = costs.embedding(model, new) + costs.layer(model, new, past).times(model.layers)
    work += costs.logits(model, chosen) if chosen else Work()
    table = 0 if model.tied else costs.table_parameters(model)
    table += 0 if chosen else costs.logits(model, 1).parameters
    return stage_of(
        "llama.whole",
        work,
        precision,
        blocks=range(model.layers),
        makes=tokens(chosen) if chosen else _hidden(model, new, model.layers, past),
        unread=table,
        positions=(past, past + new),
        cache_bytes=_cached_bytes(model, precision, model.layers, past + new),
    )


@lru_cache(maxsize=1 << 14)
def _draft(model: Architecture | None, precision: str, guesses: int, past: int) -> Stage:
    """Return a search, which costs nothing to speak of, or a smaller model's rounds.

    That model has read what the text had when it last guessed; what came since, on average about
    as many tokens as it guesses, it reads again.
    """
    span = (past + 1, past + 1 + guesses)
    if model is None:
        searched = Work(moved=past, launches=1)
        return stage_of("llama.draft", searched, precision, positions=span)
    work = Work()
    for guess in range(guesses):
        new = guesses if not guess else 1
        work += costs.embedding(model, new) + costs.logits(model, 1)
        work += costs.layer(model, new, past + guess).times(model.layers)
    resident = costs.parameters(model)
    stage = stage_of("llama.draft", work, precision, positions=span)
    return replace(stage, weight_bytes=float(PRECISION_BYTES[precision] * resident))


@lru_cache(maxsize=64)
def _chain(llama: Llama) -> tuple[ChainLink, ...]:
    """Return the chain, a link per round; between rounds the caches are what has to travel."""
    prompt, output = llama.prompt_tokens, llama.output_tokens
    stages = [llama.whole(prompt, 0)]
    stages += [llama.whole(1, prompt + done) for done in range(output - 1)]
    handed = [_caches(llama, prompt + done) for done in range(output - 1)]
    return tuple(map(ChainLink, stages, (*handed, tokens(output))))


def _caches(llama: Llama, positions: int) -> Payload:
    elements = positions * costs.kv_elements(llama.architecture, llama.layers)
    return Payload("cache", (), elements, positions, llama.layers, mixes=True)
