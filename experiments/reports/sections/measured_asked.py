"""What a measurement was asked for, and by which programs it was made."""

from collections.abc import Iterator

from experiments.reports.measured import Measured
from experiments.reports.sections.asked import of_program
from experiments.reports.values import Facts, Section


def section(measured: Measured) -> Section:
    """Return what orders and sittings say."""
    last = measured.sittings[-1]
    pairs = (*_orders(measured), *of_program(last, str(last["command"])))
    revisions = dict.fromkeys(str(each["git_revision"]) for each in measured.sittings)
    several = f"Measured in {len(measured.sittings)} sittings, of commits {', '.join(revisions)}."
    prose = (several,) if len(revisions) > 1 else ()
    return Section("asked", "What was asked", prose, (Facts(pairs),))


def _orders(measured: Measured) -> Iterator[tuple[str, str]]:
    document, orders = measured.document, measured.orders
    yield "model", f"{document.workload.model}, {document.workload.precision}"
    yield "topology", document.topology
    yield "seed", str(document.seed)
    if orders.get("scenes"):
        yield "scenes", f"{orders['scenes']} drawn"
    if orders.get("pictures"):
        yield "pictures", f"{len(orders['pictures'])} of your own"
    if weights := orders.get("weights"):
        yield "weights", weights if isinstance(weights, str) else _digests(weights)
    if protocol := orders.get("protocol"):
        yield "threat", str(protocol["threat"])
        sizes = ", ".join(f"{count} {name}" for name, count in protocol["pictures"].items())
        yield "splits", sizes
    if policies := orders.get("policies"):
        yield "policies", "; ".join(policies)


def _digests(weights: dict[str, str]) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in weights.items())
