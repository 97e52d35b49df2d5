"""What fits on a device at once: resident weights, and the working sets of the jobs it runs."""

from collections import OrderedDict
from math import inf

from sim.engine.servers.server import Job


class Memory:
    """``limit_bytes`` of device memory, with weights loaded on demand at ``load_bytes_per_s``.

    Weights stay resident until the room is needed; then those least recently used go first
    (Mattson et al. 1970, doi 10.1147/sj.92.0078), never those that a job uses. Loading takes its
    time in front of the job that needs it, at the rate given whatever the device's speed: jobs on
    the same weights wait for the same load. Without a rate it takes none.
    """

    def __init__(self, limit_bytes: float = inf, load_bytes_per_s: float = inf) -> None:
        self._limit_bytes = limit_bytes
        self._load_bytes_per_s = load_bytes_per_s
        self._resident: OrderedDict[str, float] = OrderedDict()  # least recently used first
        self._loaded_at_s: dict[str, float] = {}
        self._users: dict[str, int] = {}
        self._resident_bytes = 0.0
        self._working_bytes = 0.0

    @property
    def resident(self) -> tuple[str, ...]:
        """The weights in memory, the least recently used first."""
        return tuple(self._resident)

    @property
    def used_bytes(self) -> float:
        """Bytes taken by resident weights and by working sets."""
        return self._resident_bytes + self._working_bytes

    def require(self, job: Job) -> None:
        """Raise ``ValueError`` for a job that does not fit even into an empty memory."""
        if not need_bytes(job) <= self._limit_bytes:
            raise ValueError(
                f"the job needs {need_bytes(job):.0f} bytes, but the memory has "
                f"{self._limit_bytes:.0f}; split it"
            )

    def holds(self, name: str) -> bool:
        """Whether these weights are resident."""
        return name in self._resident

    def place(self, name: str, size_bytes: float) -> None:
        """Make weights resident that were brought here, if others may go for them."""
        if name not in self._resident and self._make_room({name}, size_bytes):
            self._resident[name] = size_bytes
            self._resident_bytes += size_bytes
            self._loaded_at_s[name] = 0.0

    def admit(self, job: Job, now_s: float) -> float:
        """Take what ``job`` needs and return the seconds until it is loaded, or -1 if no room.

        What it took is to be given back by `release`.
        """
        missing = [(name, size) for name, size in job.weights if name not in self._resident]
        missing_bytes = sum((size for _, size in missing), 0.0)
        needed = {name for name, _ in job.weights}
        if not self._make_room(needed, missing_bytes + job.working_bytes):
            return -1.0
        loaded_at_s = now_s + missing_bytes / self._load_bytes_per_s
        for name, size in missing:
            self._resident[name] = size
            self._resident_bytes += size
            self._loaded_at_s[name] = loaded_at_s
        for name, _ in job.weights:
            self._resident.move_to_end(name)
            self._users[name] = self._users.get(name, 0) + 1
            loaded_at_s = max(loaded_at_s, self._loaded_at_s[name])
        self._working_bytes += job.working_bytes
        return loaded_at_s - now_s

    def release(self, job: Job) -> None:
        """Give back what `admit` took; the weights stay until their room is needed."""
        self._working_bytes -= job.working_bytes
        for name, _ in job.weights:
            self._users[name] -= 1

    def clear(self) -> None:
        """Forget everything, as a crash does."""
        for ledger in (self._resident, self._loaded_at_s, self._users):
            ledger.clear()
        self._resident_bytes = 0.0
        self._working_bytes = 0.0

    def _make_room(self, needed: set[str], bytes_: float) -> bool:
        """Evict the least recently used weights until ``bytes_`` are free; evict none in vain."""
        short_bytes = self.used_bytes + bytes_ - self._limit_bytes
        evicted = []
        for name, size in self._resident.items():
            if short_bytes <= 0.0:
                break
            if not self._users.get(name) and name not in needed:
                evicted.append(name)
                short_bytes -= size
        if short_bytes > 0.0:
            return False
        for name in evicted:
            self._resident_bytes -= self._resident.pop(name)
        return True


def need_bytes(job: Job) -> float:
    """Return the bytes that ``job`` needs at once: its weights and its working set."""
    return sum((size for _, size in job.weights), 0.0) + job.working_bytes
