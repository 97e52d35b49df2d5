"""How much latency does privacy cost? Sweeps policies over one topology and plots the answer.

Run it as ``python -m experiments.questions.policies [SCENARIO] [FIGURE.png]``, or copy it: a scenario, a
list of policies, one campaign each, one figure.
"""

import sys

import matplotlib.pyplot as plt

from experiments.campaign import run_campaign
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.policies.registry import POLICIES
from sim.policies.sharded import Sharded

MARKERS = {"speed-proportional": "o", "contiguous": "s", "checkerboard": "P", "round-robin": "X"}


def main(scenario: str = "jetson-16-clouds", figure: str = "policies.png") -> None:
    """Simulate every shipped policy, the sharded ones with several assignments, and plot them."""
    _, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for number, policy in enumerate(POLICIES):
        assigns = issubclass(POLICIES[policy][0], Sharded)
        for assignment, marker in MARKERS.items() if assigns else [("", "D")]:
            spec = f"{policy}:codec=int8,assignment={assignment}" if assignment else policy
            chosen = load(scenario, ["replications=3", "workload.requests=120"], policy=spec)
            metrics = run_campaign(chosen, Simulator()).metrics
            seen, p99_ms = 100 * metrics["pixels_max_node"].mean, 1e3 * metrics["p99_s"].mean
            print(f"{spec:64} p99 {p99_ms:5.0f} ms, worst cloud sees {seen:5.1f} % of an image")
            axes.plot(p99_ms, seen, marker, color=f"C{number}", markersize=9, alpha=0.8)
        axes.plot([], [], "-", color=f"C{number}", linewidth=5, label=policy)
    for assignment, marker in MARKERS.items():
        axes.plot([], [], marker, color="grey", label=assignment)
    axes.axvline(1e3 * chosen.deadline_s, color="grey", linestyle="--", label="deadline")
    axes.set(xscale="log", xlabel="99th percentile of latency, ms", yscale="symlog")
    axes.set(ylabel="largest part of an image that a cloud receives, %", ylim=(-0.3, 130))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.savefig(figure, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
