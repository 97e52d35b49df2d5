"""A measurement of one policy: recorded, then attacked alone, in coalitions, and over frames."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from PIL import Image

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.coalitions import coalitions
from experiments.laboratory.attacks.pictures import Seen
from experiments.laboratory.attacks.statistics import Proportion, proportion
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.privacy.judging import Splits, judge, worst
from experiments.laboratory.privacy.measure import Measure
from experiments.laboratory.privacy.plates import colours, masked, plate, shown
from experiments.laboratory.privacy.portfolio import (
    DESCENT,
    attack_named,
    descent,
    quick,
    regressions,
    slow,
)
from experiments.laboratory.privacy.recording import Recorder, Recording, united_of
from experiments.laboratory.privacy.showing import Showing
from experiments.laboratory.privacy.telling import Recordings, Row, exposures, meanings, placed
from experiments.laboratory.subjects import drawn
from experiments.parts import Parts
from real_runner.deployment import NodeSpec
from real_runner.shards.weights import read
from sim.policies.placement import sam_of
from sim.runner import Scenario
from workloads.scenes import Split

Told = Callable[[], None]
Doing = Callable[[str], None]
QUICK, ALONE, TOGETHER, FRAMES, MEANING, PLACED, SHOWN = (
    "quick", "alone", "together", "frames", "meaning", "placed", "shown"
)  # fmt: skip


class Sitting:
    """Measures one policy; tables that ``parts`` has already are not made again."""

    def __init__(self, measure: Measure, recorder: Recorder, parts: Parts, name: str) -> None:
        self._measure = measure
        self._recorder = recorder
        self._parts = parts
        self._name = name
        self._told: Told = lambda: None
        self._doing: Doing = lambda _: None

    def tables(
        self, told: Told, doing: Doing = lambda _: None, *, until_missed: bool = False
    ) -> dict[str, pd.DataFrame]:
        """Return every table.

        ``told`` is told of each picture that is recorded, ``doing`` what is done: an attack may
        take minutes. With ``until_missed`` little more is tried once quick attacks on single
        nodes miss the protocol's limit: then there are the tables `QUICK` and `SHOWN` only. What
        was attacked as a whole before stays so.
        """
        self._told, self._doing = told, doing
        makers = {
            ALONE: self._alone,
            TOGETHER: self._together,
            FRAMES: self._frames,
            MEANING: lambda: meanings(self._measure, self._recordings),
            PLACED: lambda: placed(self._recordings, self._recorder.places, self._rng("places")),
            SHOWN: self._shown,
        }
        whole = self._parts.get(f"{self._name} {ALONE}") is not None
        if until_missed and not whole and self._missed():
            makers = {QUICK: self._until_sure, SHOWN: self._shown}
        return {table: self._kept(table, make) for table, make in makers.items()}

    def _missed(self) -> bool:
        limit = self._measure.protocol.limits.attacked
        rows = _records(self._kept(QUICK, self._until_sure))
        return any(_rate(row).below >= limit for row in rows)

    def plate(self, alone: pd.DataFrame, count: int) -> Image.Image:
        """Return the first pictures attacked, as the cloud fares to whom most is given away.

        Beside each: what it is shown, the reconstruction that identified most, and the masks of all
        objects, asked for by a point each, of the unsplit model and of the split one.
        """
        row = alone.iloc[worst(alone, "identified")]
        who, name = str(row["who"]), str(row["attack"])
        splits, attack = self._splits((who,)), self._attack(name, who)
        attack.fit(*splits.known, splits.validation, self._rng(f"{name} drawn"))
        views = splits.attacked[0].of(slice(0, count))
        guessed = colours(attack.reconstruct(views))
        seed, look = self._measure.protocol.seed, self._measure.look
        rows = []
        for place in range(count):
            subject = drawn(look, seed, "test", place)
            whole, split = self._recorder.masks(subject)
            points = [n for n, kind in enumerate(subject.kinds) if kind == "point"]
            both = [masked(subject.picture, each[points]) for each in (whole, split)]
            rows.append([subject.picture, shown(views, place), guessed[place], *both])
        titles = ("picture", f"shown to {who}", name, "masks, unsplit", "masks, split")
        return plate(titles, rows)

    def _outcomes(
        self, members: Sequence[str], attacks: Iterable[Attack], few: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield a row for each attack on a coalition, kept as soon as it is done.

        With ``few`` they are tried on so many pictures only.
        """
        splits = cache(partial(self._splits, members))  # needed unless all is kept already
        for attack in attacks:
            part = f"{attack.name} on {'+'.join(members)}"
            make = partial(self._attacked, tuple(members), attack, splits, few)
            yield from _records(self._kept(part, make))

    def _kept(self, table: str, make: Callable[[], Iterable[Row]]) -> pd.DataFrame:
        part = f"{self._name} {table}"
        found = self._parts.get(part)
        if found is None:
            found = pd.DataFrame(list(make()))
            self._parts.keep(part, found)
        return found

    @cached_property
    def _recordings(self) -> Recordings:
        sizes, record = self._measure.protocol.pictures, self._record
        return (
            record("attack-train", sizes.attack_train),
            record("attack-validate", sizes.attack_validate),
            record("test", sizes.test),
        )

    def _record(self, split: Split, count: int) -> Recording:
        self._doing(f"recording {self._name}")
        scenes = enumerate(self._measure.scenes(split, count))
        named = ((f"{split}-{place}", each.picture) for place, each in scenes)
        return self._recorder.record(named, count, self._told)

    @property
    def _nodes(self) -> dict[str, Seen]:
        return self._recordings[0].seen

    def _splits(self, members: Sequence[str]) -> Splits:
        return Splits(*((united_of(each, members), each.pictures) for each in self._recordings))

    def _alone(self) -> Iterator[Row]:
        """Attack each node by itself; the slow attacks only whom the quick ones do best on."""
        rows = [row for node in self._nodes for row in self._quickly(node)]
        yield from rows
        reached = {
            node: max(row["identified"] for row in rows if row["who"] == node)
            for node in self._nodes
        }
        best = sorted(reached, key=lambda node: (-reached[node], node))
        for node in best[: self._measure.protocol.deep]:
            yield from self._outcomes((node,), slow(self._measure.protocol.budget))
            yield from self._descended(node)

    def _descended(self, node: str) -> Iterator[dict[str, Any]]:
        """Attack a node through the model (A4), where it holds what can be differentiated."""
        found = self._descent(node)
        if found is not None:
            attack, few = found
            yield from self._outcomes((node,), [attack], few)

    def _descent(self, node: str) -> tuple[Attack, int | None] | None:
        """Return that attack, and on how many pictures: a few, for it takes seconds for each.

        All of them where nothing that the node holds depends on what it is not shown, for then
        there is no way to descend.
        """
        protocol = self._measure.protocol
        subject = drawn(self._measure.look, protocol.seed, "test", 0)
        function = self._recorder.observed(subject, node)
        if function is None:
            return None
        if function.tells_of(~self._nodes[node]):
            return descent(function, protocol.descent), protocol.descent.pictures
        return descent(None, protocol.descent), None

    def _attack(self, name: str, node: str) -> Attack:
        """Return an attack on a node by its name, not fitted yet."""
        found = self._descent(node) if name == DESCENT else None
        return found[0] if found else attack_named(name, self._measure.protocol.budget)

    def _quickly(self, node: str) -> list[dict[str, Any]]:
        """Attack a node by itself with what takes seconds."""
        return list(self._outcomes((node,), quick()))

    def _until_sure(self) -> Iterator[Row]:
        """Attack nodes like that until one gives away too much by the lower bound.

        That one is attacked through the model, too: what quick attacks find may be the least of it.
        """
        limit = self._measure.protocol.limits.attacked
        for node in self._nodes:
            rows = self._quickly(node)
            yield from rows
            if any(_rate(row).low > limit for row in rows):
                yield from self._descended(node)
                return

    def _together(self) -> Iterator[Row]:
        """Attack coalitions of each size (A7)."""
        protocol, nodes = self._measure.protocol, self._nodes
        for k in protocol.coalitions:
            if not 1 < k <= len(nodes):
                continue
            rng = self._rng(f"coalitions of {k}")
            for members in coalitions(nodes, k, rng, protocol.most_coalitions):
                yield from self._outcomes(members, regressions())

    def _frames(self) -> Iterator[Row]:
        """Attack a cloud that has had another's share in each frame of a scene at rest (A8)."""
        names = list(self._nodes)
        for count in self._measure.protocol.frames:
            rng = self._rng(f"{count} frames")
            had = sorted({names[place] for place in rng.integers(len(names), size=count)})
            for row in self._outcomes(had, regressions()):
                yield {"frames": count, **row}

    def _shown(self) -> Iterator[Row]:
        return exposures(self._measure, self._nodes)

    def _attacked(
        self,
        members: tuple[str, ...],
        attack: Attack,
        splits: Callable[[], Splits],
        few: int | None,
    ) -> Iterator[Row]:
        who = members[0] if len(members) == 1 else f"{len(members)} together"
        self._doing(f"{attack.name} on {who}: {self._name}")
        seen = np.logical_or.reduce([self._nodes[node] for node in members]).mean()
        outcome = judge(
            attack,
            splits(),
            self._measure.thresholds,
            self._measure.protocol.candidates,
            self._seed(f"{attack.name} on {members}"),
            few,
        )
        yield {
            "who": "+".join(members), "k": len(members), "seen": float(seen), **asdict(outcome)
        }  # fmt: skip

    def _rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng(self._seed(purpose))

    def _seed(self, purpose: str) -> int:
        return crc32(f"{self._measure.protocol.seed} {self._name} {purpose}".encode())


def _rate(row: Mapping[str, Any]) -> Proportion:
    return proportion(row["identified"], row["pictures"])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def opened(
    case: Scenario, checkpoint: Path, numbers: NodeSpec, measure: Measure, parts: Parts
) -> Sitting:
    """Return the measurement of a scenario's policy, with the weights of a checkpoint."""
    untrusted = [node.name for node in case.topology.nodes if not node.trusted]
    showing = Showing(sam_of(case.workload.model), read(checkpoint))
    recorder = Recorder(Examiner(case, checkpoint, numbers), case.policy, untrusted, showing)
    return Sitting(measure, recorder, parts, case.policy_name)
