"""What lies on a node of a request's shares and of their products; see `workloads.sam.shares`."""

from threading import Lock

from torch import Tensor

from real_runner.errors import StepError


class Vault:
    """Shares and products by tensor and number; may be used from several threads.

    Rounds come one after the other, so what has a smaller number than those of the round that
    begins belongs to one that is over: it is dropped, and so is what comes later of it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Tensor] = {}
        self._begins = 0
        self._next_sharing = 0
        self._lock = Lock()

    def put(self, tensor: str, number: int, matrix: Tensor) -> None:
        """Keep a matrix (tokens, width) of 64-bit integers, unless its round is over."""
        with self._lock:
            if number >= self._begins:
                self._kept[tensor, number] = matrix

    def get(self, tensor: str, number: int, need: str) -> Tensor:
        """Return a matrix; `StepError`, beginning with ``need``, where it does not lie here."""
        with self._lock:
            if (tensor, number) not in self._kept:
                there = ", ".join(f"{name} {n}" for name, n in sorted(self._kept)) or "none"
                raise StepError(f"{need}: needs {tensor} {number}; of shares here lie {there}")
            return self._kept[tensor, number]

    def begin(self, number: int) -> None:
        """Drop what has smaller numbers."""
        with self._lock:
            self._begins = max(self._begins, number)
            for key in [key for key in self._kept if key[1] < self._begins]:
                del self._kept[key]

    def open_sharing(self, sharing: int, need: str) -> None:
        """Note that a sharing is drawn; `StepError` if it or a later one has been.

        Two drawings under one number would let shares of one be taken for those of the other.
        """
        with self._lock:
            if sharing < self._next_sharing:
                raise StepError(f"{need}: sharing {sharing} was drawn before; number it anew")
            self._next_sharing = sharing + 1
