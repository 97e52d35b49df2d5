"""What every cloud held of many pictures: each byte that came to it or left it, by the plans.

Nothing is taken from inside of the model: a cloud's numbers are those of the transfers that the
plan names, as they were written for the wire and read again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.jigsaw import Place
from experiments.laboratory.attacks.pictures import Pictures, Seen, averaged, shown
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views, united
from experiments.laboratory.crew import by_many
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.observed import Observed, observed
from experiments.laboratory.privacy.showing import Showing
from experiments.laboratory.privacy.storage import on_disk
from experiments.laboratory.subjects import Masks, Subject
from real_runner.executor import Array
from real_runner.inline import Sent
from real_runner.shards.weights import read
from sim.errors import PolicyError
from sim.policies.chain import Local
from sim.policy import Policy
from workloads.scenes import Picture

Halves = npt.NDArray[np.float16]
Canvas = npt.NDArray[np.uint8]
_PROMPT = np.array([[[1.0, 1.0, 1.0], [0.0, 0.0, -1.0]]], np.float32)
"""What is asked does not matter, and no cloud sees it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What one cloud had of one picture."""

    seen: Seen
    numbers: Halves
    canvas: Canvas


@dataclass(frozen=True, slots=True, eq=False)
class _Holding:
    """What one cloud had of many pictures, filled in as they come."""

    seen: Seen
    numbers: Halves
    canvases: Canvas

    @classmethod
    def like(cls, first: _Held, count: int) -> Self:
        """Return room for what it has of so many pictures, of each as much as of the first."""
        numbers, canvas = first.numbers, first.canvas
        return cls(
            first.seen,
            on_disk((count, *numbers.shape), numbers.dtype),
            on_disk((count, *canvas.shape), canvas.dtype),
        )

    def put(self, place: int, held: _Held) -> None:
        """Fill in what it has of one picture."""
        self.numbers[place], self.canvases[place] = held.numbers, held.canvas


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The truth, at the working size, and what each cloud held, by name.

    Numbers are kept in half precision, on disk, for they may be tens of gigabytes. What is worked
    out of a node's views stays with them.
    """

    pictures: Pictures
    transcripts: dict[str, Transcript]
    canvases: dict[str, Canvas]
    seen: dict[str, Seen]

    def views(self, node: str) -> Views:
        """Return what one cloud held."""
        canvas = np.asarray(self.canvases[node] / 255, np.float32)
        return Views(self.transcripts[node], canvas, self.seen[node])


def united_of(recording: Recording, members: Iterable[str]) -> Views:
    """Return what some clouds held together."""
    return united(recording.views(node) for node in members)


class Recorder:
    """Runs pictures by one policy and keeps what untrusted nodes receive and send."""

    def __init__(
        self, examiner: Examiner, policy: Policy, untrusted: Iterable[str], showing: Showing
    ) -> None:
        self._examiner = examiner
        self._showing = showing
        self._policy = policy
        self._untrusted = frozenset(untrusted)

    def record(
        self, pictures: Iterable[tuple[str, Picture]], count: int, told: Callable[[], None]
    ) -> Recording:
        """Return what the clouds held of pictures, in the order of the plan's steps.

        Each of the ``count`` pictures has a name of its own; a cloud is shown the same pixels of
        all. Raises `PolicyError` where no cloud held anything.
        """
        truth, held = list[Pictures](), dict[str, _Holding]()
        subjects = (Subject(*named, _PROMPT, ("point",), None) for named in pictures)
        for place, (picture, had) in enumerate(by_many(self._told_of, subjects, count)):
            if not had:
                raise PolicyError(
                    "no cloud receives or sends anything, so there is nothing to attack; leave it "
                    "out"
                )
            if not held:
                held = {node: _Holding.like(each, count) for node, each in had.items()}
            for node, each in had.items():
                held[node].put(place, each)
            truth.append(picture)
            told()
        return Recording(
            np.stack(truth),
            {node: Transcript.of_numbers(each.numbers) for node, each in held.items()},
            {node: each.canvases for node, each in held.items()},
            {node: each.seen for node, each in held.items()},
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the windows are of which shards are made, at the working size."""
        return self._showing.places()

    def observed(self, subject: Subject, node: str) -> Observed | None:
        """Return what a node holds of pictures of a size, as `privacy.observed.observed`."""
        model, plan = self._examiner.planned(self._policy, subject)
        return observed(model, read(self._examiner.weights), plan, node)

    def masks(self, subject: Subject) -> tuple[Masks, Masks]:
        """Return the masks of the unsplit model and of the policy, with the same weights."""
        unsplit, _ = self._examiner.run(Local(), subject)
        return unsplit, self._examiner.run(self._policy, subject)[0]

    def _told_of(self, subject: Subject) -> tuple[Pictures, dict[str, _Held]]:
        """Return a picture at the working size, and what each cloud had of it."""
        sent = self._examiner.heard(self._policy, subject, self._untrusted)
        withheld = self._examiner.withheld(self._policy, subject)
        held = {}
        for node in sorted(self._untrusted):
            own = [each for each in sent if node in (each.transfer.source, each.transfer.target)]
            if not own:
                continue
            received = [each for each in own if each.transfer.target == node]
            colours, seen = self._showing.square(received, withheld)
            numbers = np.concatenate([self._numbers(each) for each in own])
            canvas = (averaged([colours])[0] * 255).round().astype(np.uint8)
            held[node] = _Held(shown(seen), numbers, canvas)
        return averaged([subject.picture])[0], held

    def _numbers(self, sent: Sent) -> Halves:
        """Return what travelled as numbers: bytes from 0 to 1, of pixels when they are decoded."""
        pixels = sent.transfer.payload.tensor == "pixels"
        return _halves(self._showing.colours(sent) if pixels else sent.array.reshape(-1))


def _halves(flat: Array) -> Halves:
    if flat.dtype == np.uint8:
        return (flat / np.float32(255)).astype(np.float16)
    most = float(np.finfo(np.float16).max)
    return np.clip(flat, -most, most).astype(np.float16)
