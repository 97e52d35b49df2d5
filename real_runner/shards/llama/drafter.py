"""A smaller Llama that guesses at the edge what the large one will choose."""

from real_runner.shards.llama.layers import Layers, Segment
from real_runner.shards.llama.sampling import choose
from real_runner.shards.llama.sessions import Session
from workloads.llama.sampling import Sampling


class Drafter:
    """Guesses with the same noise as the large model draws with, where it draws."""

    def __init__(self, layers: Layers, sampling: Sampling) -> None:
        self._layers = layers
        self._sampling = sampling
        self._blocks = range(layers.architecture.layers)

    def guess(self, session: Session, count: int) -> list[int]:
        """Return ``count`` guesses of what follows a session's text."""
        text, guesses = session.text, list[int]()
        if session.drafted is None:
            session.drafted = self._layers.cache(len(self._blocks))
        cache = session.drafted
        cache.cut(min(cache.length, len(text) - 1))
        while len(guesses) < count:
            new = (text + guesses)[cache.length :]
            rows = self._layers.run(
                self._layers.embed(new), self._blocks, [Segment(cache, len(new))]
            )
            place = len(text) + len(guesses)
            guesses += choose(
                self._layers.logits(rows[-1:]), self._sampling, session.seed,
                range(place, place + 1),
            )  # fmt: skip
        cache.cut(len(text))  # of its own guesses it keeps nothing: they may not hold
        return guesses
