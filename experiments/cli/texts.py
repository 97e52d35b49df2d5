"""What ``tessera privacy`` tells of a language model whose middle a cloud runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from experiments.cli.chosen import Chosen
from experiments.cli.options import progress_bar, show
from experiments.cli.plain import finite

if TYPE_CHECKING:
    from experiments.laboratory.privacy.protocol import Protocol


def texts(
    chosen: Chosen,
    protocol: "Protocol",
    weights: Path | None,
    out: Path | None,
    command: str,
    *,
    as_json: bool,
) -> None:
    """Measure the policies chosen and print what came of it."""
    from experiments.laboratory.text.sitting import measured  # noqa: PLC0415
    from experiments.parts import Parts  # noqa: PLC0415 - torch
    from real_runner.fleet.folder import RunFolder  # noqa: PLC0415
    from real_runner.models import family_of  # noqa: PLC0415

    sizes, model = protocol.texts, chosen.scenarios[0].workload.model
    deployment = chosen.document.real
    orders = {
        "scenario": chosen.document.model_dump(mode="json"),
        "protocol": protocol.model_dump(mode="json"),
        "weights": str(weights) if weights else f"drawn, seed {deployment.weights_seed}",
    }
    total = (sizes.attack_train + sizes.attack_validate + sizes.test) * len(chosen.scenarios)
    rows: list[dict[str, Any]] = []
    with (
        RunFolder() as folder,  # which 'tessera clean' knows, whatever becomes of this process
        Parts(out, orders, command) as parts,
        progress_bar("hearing", total) as told,
    ):
        target = folder.path / "drawn.safetensors"
        path = family_of(model).prepare(model, weights, deployment.weights_seed, target)
        for case in chosen.scenarios:
            table = parts.get(case.policy_name)
            if table is None:
                table = measured(case, weights, path, deployment.default, protocol, told)
                parts.keep(case.policy_name, table)
            rows += finite(table.assign(policy=case.policy_name).to_dict("records"))
        title = f"{chosen.name}: {model.name}"
        found = {"title": title, "drawn": weights is None, "recovered": rows}
        parts.conclude("texts", found)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        show(_table(title, rows, drawn=weights is None))


def _table(title: str, rows: list[dict[str, Any]], *, drawn: bool) -> Table:
    caption = "Recovered by the cloud in the middle: of the input the prompt, of the output what "
    caption += "was answered; exact: whole texts, with the one-sided upper bound (Clopper and "
    caption += "Pearson, 95 %); secrets: word for word."
    if drawn:
        caption += " Weights are drawn by seed, so the output makes no sense to anybody."
    table = Table(title=title, caption=caption)
    for name in ("policy", "attack", "of", "tokens", "ROUGE-L", "exact", "below",
                 "secrets"):  # fmt: skip
        table.add_column(name, justify="left" if name in {"policy", "attack", "of"} else "right")
    for row in rows:
        secrets = row["secrets"]
        table.add_row(
            row["policy"], row["attack"], row["side"], f"{row['tokens']:.1%}",
            f"{row['rouge_l']:.3f}",
            f"{row['exact']} of {row['texts']}", f"{row['below']:.1%}",
            "-" if secrets is None else f"{secrets:.1%}",
        )  # fmt: skip
    return table
