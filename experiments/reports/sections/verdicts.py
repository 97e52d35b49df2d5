"""The verdict: whether the deadline holds, as ``tessera budget`` judges, and at which quantiles."""

from collections.abc import Sequence
from typing import Final

from experiments.reports.kept import Run
from experiments.reports.values import Answer, Cell, Mark, Section, Table
from experiments.reports.wording import percent, rounded, with_interval
from experiments.verdict import CONFIDENCE, QUANTILE, Verdict, judge
from experiments.verdict import Answer as Judged

QUANTILES: Final = (0.5, 0.95, QUANTILE)
WORDS: Final = {
    Judged.HOLDS: Mark("holds", "good"),
    Judged.MISSED: Mark("does not hold", "bad"),
    Judged.UNDECIDED: Mark("too few samples", "unsure"),
}


def question(runs: Sequence[Run]) -> str:
    """Return what the answers answer."""
    deadline_s = runs[0].campaign.scenario.deadline_s
    return (
        f"Do {QUANTILE:.0%} of all requests end within {rounded(deadline_s * 1e3)} ms? "
        f"Said with {CONFIDENCE:.0%} confidence."
    )


def answers(runs: Sequence[Run]) -> tuple[Answer, ...]:
    """Return one line per run."""
    return tuple(_answer(run) for run in runs)


def _answer(run: Run) -> Answer:
    found = _judged(run, QUANTILE)
    saturated = run.campaign.saturation
    if saturated:
        return Answer(WORDS[found.answer], run.label, f"no steady state: {saturated.reason}")
    words = (
        f"{percent(found.met.mean, 2)} of {found.samples:,} requests met it, at least "
        f"{percent(found.met.low, 2)} and at most {percent(found.met.high, 2)} of all; "
        f"latency there {with_interval(found.quantile_s, 1e3)} ms"
    )
    if found.answer is Judged.UNDECIDED:
        words += f"; at least {found.samples_needed:,} requests are needed to say"
    return Answer(WORDS[found.answer], run.label, words)


def _judged(run: Run, quantile: float) -> Verdict:
    campaign = run.campaign
    return judge(
        campaign.latencies_s, campaign.scenario.deadline_s, quantile, CONFIDENCE,
        campaign.saturation,
    )  # fmt: skip


def section(runs: Sequence[Run]) -> Section:
    """Return the verdict at several quantiles."""
    deadline_ms = rounded(runs[0].campaign.scenario.deadline_s * 1e3)
    names = [f"{quantile:.0%} within {deadline_ms} ms" for quantile in QUANTILES]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (run.label, *(_cell(run, quantile) for quantile in QUANTILES), _met(run)) for run in runs
    )
    prose = (
        f"The bounds of the fraction met are one-sided, each with {CONFIDENCE:.0%} confidence, and "
        "the wider of two: Student's t over replications, and Clopper and Pearson's over all "
        "requests. A quantile holds where the lower bound reaches it, and does not where the upper "
        "bound stays below it."
    )
    table = Table("", ("policy", *names, "met it"), rows, words=("policy", *names))
    return Section("verdict", "Verdict by quantile", (prose,), (table,))


def _cell(run: Run, quantile: float) -> Mark:
    return WORDS[_judged(run, quantile).answer]


def _met(run: Run) -> str:
    met = _judged(run, QUANTILE).met
    return f"{percent(met.mean, 2)} ({percent(met.low, 2)} to {percent(met.high, 2)})"
