"""How many clouds are worth it? Latency, price and what one cloud sees, from one cloud to all.

Run it as ``python -m experiments.questions.how_many_clouds [SCENARIO] [FIGURE.png] [REPLICATIONS]``.
"""

import sys

import matplotlib.pyplot as plt

from experiments.sweeps.sweeping import sweep

POLICY = "sharded/{mode}:codec=int8,clouds={clouds}"
CLOUDS, MODES = "clouds=1,2,3,4,6,8,12,16", "mode=prefix,deferred,local-attention"
FIGURES = (("p50_s", 1e3, "median latency, ms"), ("cost_usd", 1e3, "thousandths of a dollar"),
           ("pixels", 100, "most that a cloud sees, %"))  # fmt: skip


def main(
    scenario: str = "jetson-16-clouds", figure: str = "clouds.png", replications: str = "3"
) -> None:
    """Sweep modes over the number of clouds, print and plot three figures of each."""
    rows = sweep(scenario, [POLICY], [MODES, CLOUDS], [f"replications={replications}"])
    _, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for (column, factor, label), axes in zip(FIGURES, panels, strict=True):
        print(label)
        table = rows.pivot_table(index="mode", columns="clouds", values=column, sort=False)
        print((factor * table).round(2).to_string())
        for mode, cells in rows.groupby("mode", sort=False):
            axes.plot(cells["clouds"].astype(int), factor * cells[column], "o-", label=mode)
        axes.set(xlabel="clouds", ylabel=label, ylim=(0, None), xticks=range(0, 17, 4))
    panels[0].legend()
    plt.savefig(figure, dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
