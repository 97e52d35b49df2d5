"""A workload: which model, how requests arrive, and how many."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from workloads.arrivals import Arrivals, Closed, Times
from workloads.errors import WorkloadError
from workloads.lengths import Lengths
from workloads.stage import Model, Request


@dataclass(frozen=True, slots=True)
class Workload:
    """``requests`` requests in all for ``model``; ``arrivals`` describes one origin's stream.

    ``varying`` are fields of the model that are drawn anew for each request, each with the
    distribution it is drawn from: so many tokens in, so many out.
    """

    model: Model
    arrivals: Arrivals
    requests: int
    varying: tuple[tuple[str, Lengths], ...] = ()

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise WorkloadError(f"workload.requests: {self.requests!r}; give at least 1")

    def requests_from(
        self, origins: Sequence[str], rng: np.random.Generator
    ) -> tuple[Request, ...]:
        """Return the first requests of all origins' streams together, in time order.

        In a closed loop these are only the ones that all clients begin with, in turns by origin.
        Otherwise they are all there are. Each origin has a stream and a generator of its own; all
        but the first are staggered, so that cameras do not fire together. Equal times are in the
        order of ``origins``.

        Raises `WorkloadError` if there is no origin, or one comes twice.
        """
        if not origins or len(set(origins)) != len(origins):
            raise WorkloadError(
                f"origins: {list(origins)!r}; give at least one name, and each only once"
            )
        if isinstance(self.arrivals, Closed):
            return self._opening(origins, self.arrivals.clients)
        generators = rng.spawn(len(origins))
        streams = [
            self.arrivals.staggered(generator) if place else self.arrivals
            for place, generator in enumerate(generators)
        ]
        times_s, places = self._first(streams, generators)
        return tuple(
            Request(index, float(time_s), origins[place], self.model)
            for index, (time_s, place) in enumerate(zip(times_s, places, strict=True))
        )

    def models(self, rng: np.random.Generator) -> tuple[Model, ...]:
        """Return the model of each request, by its index; none where all are for ``model`` itself.

        Raises `WorkloadError` where what was drawn is impossible for the model.
        """
        if not self.varying:
            return ()
        names = [name for name, _ in self.varying]
        generators = rng.spawn(len(names))
        drawn = [
            lengths.draw(generator, self.requests).tolist()
            for (_, lengths), generator in zip(self.varying, generators, strict=True)
        ]
        model = cast("Any", self.model)  # a frozen dataclass with these fields
        return tuple(
            replace(model, **dict(zip(names, values, strict=True)))
            for values in zip(*drawn, strict=True)
        )

    def _opening(self, origins: Sequence[str], clients: int) -> tuple[Request, ...]:
        count = min(self.requests, clients * len(origins))
        return tuple(
            Request(index, 0.0, origins[index % len(origins)], self.model) for index in range(count)
        )

    def _first(
        self, streams: Sequence[Arrivals], generators: Sequence[np.random.Generator]
    ) -> tuple[Times, np.ndarray]:
        """Return the first times of the merged streams, and whose each of them is.

        Every stream is drawn up to the last of those times, doubling its length as needed.
        """
        count = -(-self.requests // len(streams))
        while True:
            drawn = [
                stream.times(deepcopy(generator), count)
                for stream, generator in zip(streams, generators, strict=True)
            ]
            times_s = np.concatenate(drawn)
            places = np.repeat(np.arange(len(streams)), count)
            order = np.lexsort((places, times_s))[: self.requests]
            reached_s = min(times[-1] for times in drawn)
            if count >= self.requests or times_s[order[-1]] <= reached_s:
                return times_s[order], places[order]
            count = min(2 * count, self.requests)
