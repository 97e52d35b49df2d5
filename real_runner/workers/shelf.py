"""How much a worker keeps of what has arrived for requests that are not over."""

from real_runner.wire.limits import Limits
from real_runner.wire.room import NoRoomError


class Shelf:
    """Counts bytes per job; what one job has taken is free again when it is over."""

    def __init__(self, limits: Limits) -> None:
        self._limit_bytes = limits.kept_bytes
        self._jobs: dict[int, int] = {}
        self.kept_bytes = 0

    def add(self, job: int, size_bytes: int) -> None:
        """Take up so many bytes for a job; raises `NoRoomError` where that is too much."""
        if self.kept_bytes + size_bytes > self._limit_bytes:
            raise NoRoomError(
                f"this node keeps {self.kept_bytes} bytes for requests that are not over, "
                f"{size_bytes} more would be too many; at most {self._limit_bytes} may be"
            )
        self.kept_bytes += size_bytes
        self._jobs[job] = self._jobs.get(job, 0) + size_bytes

    def clear(self, job: int) -> None:
        """Free what a job has taken."""
        self.kept_bytes -= self._jobs.pop(job, 0)
