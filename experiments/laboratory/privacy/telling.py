"""What recordings tell without a picture that is made of them: what it is of, and what is shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from experiments.laboratory.attacks.exposure import exposure
from experiments.laboratory.attacks.jigsaw import Place, cut_out, jigsaw
from experiments.laboratory.attacks.pictures import Seen
from experiments.laboratory.attacks.semantic import Classifier, Labels, labels
from experiments.laboratory.privacy.measure import Measure
from experiments.laboratory.privacy.recording import Recording, united_of
from workloads.scenes import Split

Recordings = tuple[Recording, Recording, Recording]
"""To learn from, to choose by, and to attack."""
Row = dict[str, object]


def meanings(measure: Measure, recordings: Recordings) -> Iterator[Row]:
    """Tell what pictures are of, without reconstructing them (A9)."""
    sizes = measure.protocol.pictures

    def named(split: Split, count: int) -> dict[str, Labels]:
        return labels(list(measure.scenes(split, count)))

    known = named("attack-train", sizes.attack_train)
    held = named("attack-validate", sizes.attack_validate)
    attacked = named("test", sizes.test)
    for node in recordings[0].seen:
        views = [each.transcripts[node] for each in recordings]
        for name, classes in known.items():
            classifier = Classifier(views[0], classes, (views[1], held[name]))
            guesses = classifier.judged(views[2], attacked[name])
            yield {
                "who": node,
                "attribute": name,
                "pictures": guesses.right.trials,
                "right": guesses.right.successes,
                "majority": guesses.majority.successes,
            }


def placed(
    recordings: Recordings, places: Sequence[Place], rng: np.random.Generator
) -> Iterator[Row]:
    """Put windows back in their places, by what they show alone (A6).

    All clouds know whose windows are whose; this is what it would be worth to keep it from them.
    Windows that nobody is shown are left out.
    """
    nodes = recordings[0].seen
    seen = np.logical_or.reduce(list(nodes.values()))
    there = [each for each in places if seen[each].all()]
    if len(there) < 2:
        return
    canvases = (cut_out(united_of(each, nodes).canvas, there) for each in recordings)
    known, held, attacked = canvases
    found = jigsaw(known, held, attacked, rng)
    yield {"windows": len(there), "chance": found.chance, **asdict(found.accuracy)}


def exposures(measure: Measure, nodes: Mapping[str, Seen]) -> Iterator[Row]:
    """Count what each node is shown in the clear."""
    scenes = measure.scenes("test", measure.protocol.pictures.test)
    owners = [each.owners for each in scenes]
    for node, seen in nodes.items():
        yield {"who": node, **asdict(exposure(owners, seen))}
