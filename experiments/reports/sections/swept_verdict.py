"""What a sweep asked, and in how many of its cells the deadline holds."""

from collections import Counter

from experiments.reports.sections.verdicts import WORDS
from experiments.reports.swept import Swept
from experiments.reports.values import Answer, Facts, Mark, Section
from experiments.reports.wording import percent, rounded
from experiments.verdict import CONFIDENCE, QUANTILE
from experiments.verdict import Answer as Judged


def question(swept: Swept) -> str:
    """Return what the answers answer."""
    deadlines = swept.deadlines_s
    limit = f"{rounded(deadlines[0] * 1e3)} ms" if len(deadlines) == 1 else "their deadline"
    return (
        f"Where do {QUANTILE:.0%} of all requests end within {limit}? "
        f"Said of each cell with {CONFIDENCE:.0%} confidence."
    )


def answers(swept: Swept) -> tuple[Answer, ...]:
    """Return in how many cells the deadline holds, and of how many nobody can say."""
    cells = swept.cells
    done = cells[cells["error"] == ""]
    counts = Counter(done["verdict"]) if "verdict" in done else Counter()
    found = []
    for judged, mark in WORDS.items():
        if count := counts[judged.name.lower()]:
            saturated = int(done["saturated"].sum()) if judged is Judged.MISSED else 0
            more = f", {saturated:,} of them without a steady state" if saturated else ""
            words = f"{percent(count / len(cells))} of {len(cells):,}{more}"
            found.append(Answer(mark, f"in {count:,} cells", words))
    if failed := len(cells) - len(done):
        first = str(cells.loc[cells["error"] != "", "error"].iloc[0])
        found.append(Answer(Mark("failed", "bad"), f"{failed:,} cells", f"for example: {first}"))
    return tuple(found)


def section(swept: Swept) -> Section:
    """Return what was swept."""
    document = swept.document
    several = f"{len(swept.axes):,} axes"
    pairs = (
        ("model", document.workload.model),
        ("topology", document.topology),
        ("requests", f"{document.workload.requests:,} per replication and origin"),
        ("replications", f"{document.replications} of each cell"),
        ("seed", str(document.seed)),
        ("cells", f"{len(swept.cells):,} of {swept.wanted:,}, along {several}"),
        *((name, ", ".join(values)) for name, values in swept.axes.items()),
    )
    return Section("asked", "What was asked", (), (Facts(pairs),))
