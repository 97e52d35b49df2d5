"""The run's own time: the model's seconds since its start, whoever's clock they were read from.

A run may be dilated: everything in it then lasts so many times as long on the wall as in the model.
Here alone the two are converted. Whoever measures asks for the model's time; whoever waits, or has
others wait, asks how long that is on the wall.
"""

import asyncio
import time
from collections.abc import Callable

NS = 1e-9


class Clock:
    """Starts when it is made, and again at `restart`; a second of the model lasts ``dilation``."""

    def __init__(self, dilation: float = 1.0) -> None:
        self.dilation = dilation
        self._zero_ns = time.monotonic_ns()

    def restart(self) -> None:
        """Let now be 0."""
        self._zero_ns = time.monotonic_ns()

    @property
    def now_s(self) -> float:
        """Seconds of the model since the start."""
        return self.seconds(time.monotonic_ns())

    def seconds(self, ns: int, offset_ns: int = 0) -> float:
        """Return, in the model, a moment on a clock that shows ``offset_ns`` more than ours."""
        return self.model_s((ns - offset_ns - self._zero_ns) * NS)

    def wall_s(self, model_s: float) -> float:
        """Return how long on the wall so many seconds of the model last."""
        return model_s * self.dilation

    def model_s(self, wall_s: float) -> float:
        """Return how much of the model's time passes in so many seconds on the wall."""
        return wall_s / self.dilation

    def call_at(
        self, when_s: float, call: Callable[..., object], *arguments: object
    ) -> asyncio.TimerHandle:
        """Have ``call`` called at a moment of the model, soon where that has passed."""
        delay_s = max(0.0, self.wall_s(when_s - self.now_s))
        return asyncio.get_running_loop().call_later(delay_s, call, *arguments)

    async def sleep_until(self, when_s: float) -> None:
        """Sleep until a moment of the model, not at all where that has passed."""
        await asyncio.sleep(max(0.0, self.wall_s(when_s - self.now_s)))
