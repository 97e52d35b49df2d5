"""What kind of folder it is, and which sections a page of it has."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.parts import ORDERS
from experiments.reports.fidelity import ERRORS, FidelityKept
from experiments.reports.kept import MANIFEST, Kept, Run, read_json
from experiments.reports.look import colour
from experiments.reports.measured import Measured
from experiments.reports.sections import (
    accuracies,
    asked,
    attacks,
    cells,
    cells_front,
    certified,
    designs,
    exposure,
    figures,
    incidents,
    latencies,
    measured_asked,
    network,
    paired,
    pareto,
    recovered,
    residuals,
    searched,
    single_requests,
    spending,
    swept_verdict,
    verdicts,
)
from experiments.reports.swept import Swept
from experiments.reports.values import Answer, Key, Report, Section
from sim.errors import ScenarioError


def read(folder: Path) -> Report:
    """Return the report of a folder that a command wrote.

    Raises `ScenarioError` where it is of no kind that there is a report of, or cannot be read.
    """
    if (folder / MANIFEST).exists():
        return _of_results(Kept(folder))
    if (folder / ERRORS).exists():
        return _of_comparison(FidelityKept(folder))
    if (folder / ORDERS).exists():
        return _of_parts(folder)
    raise ScenarioError(
        f"{folder}: holds no results; name what a command, such as tessera simulate, sweep or "
        "tradeoff, wrote by --out"
    )


def _of_results(kept: Kept) -> Report:
    runs = kept.runs()
    return Report(
        title=str(kept.manifest["name"]),
        subtitle=kept.document.description,
        question=verdicts.question(runs),
        answers=verdicts.answers(runs),
        sections=_there(
            [
                asked.section(kept),
                verdicts.section(runs),
                figures.section(runs),
                *_looked_at(runs),
                pareto.section(runs),
                paired.section(runs),
                exposure.section(runs),
                certified.section(kept),
                incidents.section(runs),
            ]
        ),
        keys=_keys(runs),
    )


def _looked_at(runs: Sequence[Run]) -> list[Section | None]:
    """Return what can be said of runs of one world or of several alike."""
    return [
        latencies.section(runs),
        spending.section(runs),
        single_requests.section(runs),
        network.section(runs),
    ]


def _keys(runs: Sequence[Run]) -> tuple[Key, ...]:
    return tuple(Key(run.label, colour(run.number)) for run in runs)


def _of_comparison(compared: FidelityKept) -> Report:
    errors, real = compared.errors, compared.real
    runs = compared.runs()
    return Report(
        title=f"{errors['scenario']}: simulated against real",
        subtitle=compared.simulated.document.description,
        question=residuals.question(compared),
        answers=residuals.answers(compared),
        sections=_there(
            [
                asked.section(real, command=str(errors.get("command", ""))),
                residuals.steps(compared),
                residuals.latency(compared),
                *_looked_at(runs),
                certified.section(real),
                incidents.section(runs),
            ]
        ),
        keys=_keys(runs),
    )


def _of_parts(folder: Path) -> Report:
    if "cells" not in read_json(folder / ORDERS):
        return _of_measurement(Measured(folder))
    swept = Swept(folder)
    return Report(
        title=f"Sweep of {swept.document.topology}",
        subtitle=swept.document.description,
        question=swept_verdict.question(swept),
        answers=swept_verdict.answers(swept),
        sections=_there(
            [swept_verdict.section(swept), cells.section(swept), cells_front.section(swept)]
        ),
    )


def _of_measurement(measured: Measured) -> Report:
    kind = _MEASURED[measured.kind]
    found, keys = kind.sections(measured), kind.keys(measured)
    return Report(
        title=": ".join((kind.title, *filter(None, [measured.found.get("title")]))),
        subtitle=measured.document.description,
        question=kind.question(measured),
        answers=kind.answers(measured),
        sections=_there([measured_asked.section(measured), *found]),
        keys=keys,
    )


class _Kind(NamedTuple):
    """What a page of a measurement of some kind is made of."""

    title: str
    question: Callable[[Measured], str]
    answers: Callable[[Measured], tuple[Answer, ...]]
    sections: Callable[[Measured], Iterable[Section | None]]
    keys: Callable[[Measured], tuple[Key, ...]] = lambda _: ()


_MEASURED: Final = {
    "tradeoff": _Kind(
        "Designs side by side", designs.question, designs.answers,
        lambda measured: [designs.section(measured)], designs.keys,
    ),
    "accuracy": _Kind(
        "Accuracy kept", accuracies.question, accuracies.answers,
        lambda measured: [accuracies.section(measured)],
    ),
    "privacy": _Kind(
        "What clouds learn", attacks.question, attacks.answers, attacks.sections, attacks.keys
    ),
    "texts": _Kind(
        "What the middle learns", recovered.question, recovered.answers,
        lambda measured: [recovered.section(measured)],
    ),
    "search": _Kind(
        "Search", searched.question, searched.answers,
        lambda measured: [searched.section(measured)],
    ),
}  # fmt: skip


def _there(sections: Iterable[Section | None]) -> tuple[Section, ...]:
    return tuple(section for section in sections if section is not None)
