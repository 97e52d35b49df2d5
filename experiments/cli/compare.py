"""``tessera compare``: how far the simulator is from the real runner, on cuts it has not seen."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from experiments.cli.dilating import DilationOption, settle_dilation
from experiments.cli.ending import command_line
from experiments.cli.inside import InsideOption, LinksOption, MemoryOption, settle
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    expand,
    percentage,
    progress_bar,
    show,
)
from experiments.cli.plain import number
from experiments.cli.run import CredentialsFolder, Insecure, Inventory
from experiments.fidelity.errors import Errors, LatencyError, StepError
from experiments.fidelity.experiment import Experiment, Fidelity, Tested
from experiments.fidelity.training import training_for, unseen_for
from experiments.fidelity.verdict import Tolerance, misses, order
from experiments.recording import Recording
from experiments.scenarios.loader import build, deployment, read_scenario, scenario_path
from experiments.workplaces import Links, open_runner
from sim.errors import ScenarioError
from topologies.writing import write_text

OUTSIDE = 1


def compare(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName,
    links: LinksOption = Links.LOOPBACK.value,
    dilation: DilationOption = "1",
    policy: PolicySpecs = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            "--train",
            help="Policy to fit to; may be repeated. Default: others than those predicted that "
            "run all stages, and the same in other shard sizes.",
        ),
    ] = None,
    settings: Settings = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep the fit and both worlds.")
    ] = None,
    inventory: Inventory = None,
    credentials: CredentialsFolder = None,
    tolerance: Annotated[str, typer.Option(help="Allowed median error per kind of step.")] = "10%",
    tolerance_p50: Annotated[
        str, typer.Option(help="Allowed error of the median latency, per policy.")
    ] = "5%",
    tolerance_p99: Annotated[
        str | None,
        typer.Option(help="Allowed error of latency's 99th percentile, per policy; default: any."),
    ] = None,
    inside: InsideOption = None,
    memory: MemoryOption = None,
    *,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Fit the simulator to some cuts run for real, predict others, run those, compare.

    Exit status 0: within tolerance, 1: outside.

    Without --policy the scenario's own is predicted, and an exact cut unless it is trained on.

    Example: tessera compare small-sam --out results/fidelity
    """
    allowed = Tolerance(
        percentage(tolerance, "--tolerance"),
        percentage(tolerance_p50, "--tolerance-p50"),
        percentage(tolerance_p99, "--tolerance-p99") if tolerance_p99 else None,
    )
    kind = settle(context.obj, links, inside, memory)
    path = scenario_path(scenario)
    document = read_scenario(path, settings or [])
    described = build(document, path)
    topology, model = described.topology, described.workload.model
    tested = expand(policy) if policy else unseen_for(document.policy, topology, model, train or ())
    predicted = [build(document, path, spec) for spec in tested]
    trained = train or training_for(tested, topology, model)
    real = deployment(document, path, topology)
    trained_on = [build(document, path, spec) for spec in trained]
    with _folder(out) as folder:
        factor = settle_dilation(
            dilation, [*trained_on, *predicted], real, kind, secure=not insecure, quiet=as_json
        )
        with open_runner(
            kind,
            real,
            inventory=inventory,
            credentials=credentials,
            secure=not insecure,
            dilation=factor,
        ) as runner:
            recording = Recording(runner)
            experiment = Experiment(
                trained_on, predicted, real, recording, document.model_dump(mode="json")
            )
            with progress_bar("running for real", experiment.runs) as advance:
                found = experiment.conduct(folder, advance)
        missed = misses(found, allowed)
        noted = [f"{each.target}: {each.kind}: {each.detail}" for each in recording.incidents]
        contents = _as_json(path.stem, found, allowed, missed) | {
            "command": command_line(context.obj),
            "links": kind.value,
            "dilation": factor,
            "incidents": noted,
        }
        report = json.dumps(contents, indent=1)
        write_text(report + "\n", folder / "errors.json")
    if as_json:
        print(report)
    else:
        _print(path.stem, found, allowed, missed, out)
        show(f"For real: {kind.value} links, dilation {factor:g}")
        _print_incidents(noted)
    raise typer.Exit(OUTSIDE if missed else 0)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yield where results grow; they are moved to ``out`` when all is done, or not at all."""
    if out is not None and out.exists():
        raise ScenarioError(f"--out {out}: exists already; choose another folder")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".compare-", dir=out.parent if out else None))
    try:
        yield draft
        if out is not None:
            draft.chmod(0o755)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _print(
    name: str, found: Fidelity, allowed: Tolerance, missed: list[str], out: Path | None
) -> None:
    words = "OUTSIDE TOLERANCE" if missed else "WITHIN TOLERANCE"
    show(
        f"{words}: {name}, predicted on {len(found.tested)} unseen cuts; allowed are "
        f"{allowed.steps:.0%} per kind of step and {allowed.p50:.0%} of the median latency"
    )
    show(*(f"  {each}" for each in missed))
    show(_steps_table(found.together), _latency_table(found))
    if len(found.tested) > 1:
        show(f"From fast to slow, by median: simulated {' < '.join(order(found, real=False))}")
        show(f"                              for real  {' < '.join(order(found, real=True))}")
    show(f"Fitted to {', '.join(found.trained)}")
    if out is not None:
        show(f"Results are in {out}")


def _print_incidents(noted: list[str]) -> None:
    """Say what befell the real runs: where a host was slower than its profiles, times are its."""
    for line in noted[:_MOST_LINES]:
        show(f"Incident: {line}")
    if len(noted) > _MOST_LINES:
        show(f"and {len(noted) - _MOST_LINES} more incidents; --json or --out shows all")


_MOST_LINES = 5


def _steps_table(together: Tested) -> Table:
    table = Table(
        title="Steps: simulated against real, beside real against real",
        caption="Median magnitudes of relative errors. duration, moment: of a step's median over "
        "requests, how long it took and when it ended (relative to latency); single: of steps by "
        "themselves, chance included.",
    )
    for column in ("step", "stage"):
        table.add_column(column)
    for column in ("steps", "duration", "bias", "moment", "single",
                   "real duration", "real moment", "real single"):  # fmt: skip
        table.add_column(column, justify="right")
    for kinds in (True, False):
        ours, theirs = (_rows(each, kinds=kinds) for each in (together.errors, together.spread))
        for key, row in ours.items():
            again = theirs.get(key)
            table.add_row(
                row.kind,
                row.stage,
                f"{row.steps}",
                *_percents(row.duration),
                f"{row.bias:+.1%}",
                *_percents(row.moment, row.single),
                *(_percents(again.duration, again.moment, again.single) if again else ["-"] * 3),
            )
        table.add_section()
    return table


def _rows(errors: Errors, *, kinds: bool) -> dict[tuple[str, str], StepError]:
    return {(row.kind, row.stage): row for row in (errors.kinds if kinds else errors.stages)}


def _percents(*values: float) -> list[str]:
    return ["-" if isnan(value) else f"{value:.1%}" for value in values]


def _latency_table(found: Fidelity) -> Table:
    table = Table(
        title="Latency: simulated against real, beside real against real",
        caption="Relative errors of quantiles with 95 % bootstrap intervals over requests.",
    )
    for column in ("policy", "quantile"):
        table.add_column(column, no_wrap=True)
    for column in ("simulated ms", "real ms", "error", "interval", "real against real"):
        table.add_column(column, justify="right")
    for tested in found.tested:
        for ours in tested.errors.latencies:
            table.add_row(tested.policy, *_latency_cells(ours, tested.spread))
        table.add_section()
    return table


def _latency_cells(ours: LatencyError, spread: Errors) -> list[str]:
    again = spread.latency(ours.quantile).error.mean if spread.latencies else float("nan")
    return [
        ours.quantile,
        f"{ours.predicted_s * 1e3:.1f}",
        f"{ours.measured_s * 1e3:.1f}",
        f"{ours.error.mean:+.1%}",
        f"{ours.error.low:+.1%} to {ours.error.high:+.1%}",
        "-" if isnan(again) else f"{again:+.1%}",
    ]


def _as_json(name: str, found: Fidelity, allowed: Tolerance, missed: list[str]) -> dict[str, Any]:
    return {
        "scenario": name,
        "within": not missed,
        "missed": missed,
        "tolerance": asdict(allowed),
        "trained": list(found.trained),
        "order": {world: list(order(found, real=world == "real")) for world in ("sim", "real")},
        "routes": [asdict(route) for route in found.world.links.routes],
        "tested": [_tested_json(each) for each in (*found.tested, found.together)],
    }


def _tested_json(tested: Tested) -> dict[str, Any]:
    return {
        "policy": tested.policy,
        "errors": _errors_json(tested.errors),
        "real_against_real": _errors_json(tested.spread),
    }


def _errors_json(errors: Errors) -> dict[str, Any]:
    return {
        "matched": number(errors.matched),
        "kinds": [_plain(asdict(row)) for row in errors.kinds],
        "stages": [_plain(asdict(row)) for row in errors.stages],
        "latencies": [
            {
                "quantile": row.quantile,
                "simulated_s": row.predicted_s,
                "real_s": row.measured_s,
                "error": number(row.error.mean),
                "low": number(row.error.low),
                "high": number(row.error.high),
            }
            for row in errors.latencies
        ],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: number(each) if isinstance(each, float) else each for key, each in row.items()}
