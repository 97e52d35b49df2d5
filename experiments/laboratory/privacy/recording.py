"""What every cloud held of many pictures: each byte that came to it or left it, by the plans.

Nothing is taken from inside of the model: a cloud's numbers are those of the transfers that the
plan names, as they were written for the wire and read again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.pictures import Pictures, Seen, averaged, shown
from experiments.laboratory.attacks.views import Views
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.showing import Showing
from experiments.laboratory.subjects import Masks, Subject
from real_runner.inline import Sent
from sim.errors import PolicyError
from sim.policies.chain import Local
from sim.policy import Policy
from workloads.scenes import Picture

Halves = npt.NDArray[np.float16]
_PROMPT = np.array([[[1.0, 1.0, 1.0], [0.0, 0.0, -1.0]]], np.float32)
"""What is asked does not matter, and no cloud sees it."""


@dataclass(slots=True)
class _Held:
    """What one cloud has of the pictures so far; it is shown the same pixels of each."""

    seen: Seen
    numbers: list[Halves] = field(default_factory=list)
    canvas: list[npt.NDArray[np.uint8]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The truth, at the working size, and what each cloud held, by name.

    Numbers are kept in half the room; `views` has them as attackers take them.
    """

    pictures: Pictures
    numbers: dict[str, Halves]
    canvases: dict[str, npt.NDArray[np.uint8]]
    seen: dict[str, Seen]

    def views(self, node: str) -> Views:
        """Return what one cloud held."""
        canvas = np.asarray(self.canvases[node] / 255, np.float32)
        return Views(self.numbers[node].astype(np.float32), canvas, self.seen[node])


class Recorder:
    """Runs pictures by one policy and keeps what untrusted nodes receive and send."""

    def __init__(
        self, examiner: Examiner, policy: Policy, untrusted: Iterable[str], showing: Showing
    ) -> None:
        self._examiner = examiner
        self._showing = showing
        self._policy = policy
        self._untrusted = frozenset(untrusted)

    def record(self, pictures: Iterable[Picture], told: Callable[[], None]) -> Recording:
        """Return what the clouds held of pictures, in the order of the plan's steps.

        Raises `PolicyError` where no cloud held anything.
        """
        held: dict[str, _Held] = {}
        truth = []
        for place, picture in enumerate(pictures):
            subject = Subject(str(place), picture, _PROMPT, ("point",), None)
            self._note(self._examiner.heard(self._policy, subject, self._untrusted), held)
            truth.append(averaged([picture])[0])
            told()
        if not held:
            raise PolicyError(
                "no cloud receives or sends anything, so there is nothing to attack; leave it out"
            )
        return Recording(
            np.stack(truth),
            {node: np.stack(each.numbers) for node, each in held.items()},
            {node: np.stack(each.canvas) for node, each in held.items()},
            {node: each.seen for node, each in held.items()},
        )

    def masks(self, subject: Subject) -> tuple[Masks, Masks]:
        """Return the masks of the unsplit model and of the policy, with the same weights."""
        unsplit, _ = self._examiner.run(Local(), subject)
        return unsplit, self._examiner.run(self._policy, subject)[0]

    def _note(self, sent: Sequence[Sent], held: dict[str, _Held]) -> None:
        for node in sorted(self._untrusted):
            own = [each for each in sent if node in (each.transfer.source, each.transfer.target)]
            if not own:
                continue
            received = [each for each in own if each.transfer.target == node]
            colours, seen = self._showing.square(received)
            known = held.setdefault(node, _Held(shown(seen)))
            known.numbers.append(np.concatenate([_numbers(each) for each in own]))
            known.canvas.append((averaged([colours])[0] * 255).round().astype(np.uint8))


def _numbers(sent: Sent) -> Halves:
    """Return what travelled as numbers: bytes, of pixels, from 0 to 1."""
    flat = sent.array.reshape(-1)
    if flat.dtype == np.uint8:
        return (flat / np.float32(255)).astype(np.float16)
    most = float(np.finfo(np.float16).max)
    return np.clip(flat, -most, most).astype(np.float16)
