"""The run's own time: seconds since its start, whoever's clock a moment was read from."""

import time

NS = 1e-9


class Clock:
    """Starts when it is made, and again at `restart`."""

    def __init__(self) -> None:
        self._zero_ns = time.monotonic_ns()

    def restart(self) -> None:
        """Let now be 0."""
        self._zero_ns = time.monotonic_ns()

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return (time.monotonic_ns() - self._zero_ns) * NS

    def seconds(self, ns: int, offset_ns: int = 0) -> float:
        """Return a moment on a clock that shows ``offset_ns`` more than this machine's."""
        return (ns - offset_ns - self._zero_ns) * NS
