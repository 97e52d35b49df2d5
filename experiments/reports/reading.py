"""What kind of folder it is, and which sections a page of it has."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.parts import ORDERS
from experiments.reports.fidelity import FidelityKept
from experiments.reports.kept import MANIFEST, Kept, Run, read_json
from experiments.reports.look import colour
from experiments.reports.sections import (
    asked,
    cells,
    cells_front,
    certified,
    exposure,
    figures,
    incidents,
    latencies,
    network,
    paired,
    pareto,
    residuals,
    single_requests,
    spending,
    swept_verdict,
    verdicts,
)
from experiments.reports.swept import Swept
from experiments.reports.values import Key, Report, Section
from sim.errors import ScenarioError

ERRORS = "errors.json"


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
        f"{folder}: holds no results; name what tessera simulate, run, compare or sweep wrote by "
        "--out"
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
    runs = compared.runs()
    real = compared.real
    return Report(
        title=f"{compared.errors['scenario']}: simulated against real",
        subtitle=compared.simulated.document.description,
        question=residuals.question(compared),
        answers=residuals.answers(compared),
        sections=_there(
            [
                asked.section(real, command=str(compared.errors.get("command", ""))),
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
    orders = read_json(folder / ORDERS)
    if "cells" not in orders:
        raise ScenarioError(
            f"{folder}: is of a measurement of which there is no report; the command that wrote it, "
            "such as tessera privacy, prints its tables again"
        )
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


def _there(sections: Iterable[Section | None]) -> tuple[Section, ...]:
    return tuple(section for section in sections if section is not None)
