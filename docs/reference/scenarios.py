"""Scenario files: what runs where, what goes wrong, and how nodes are made real."""

from experiments.scenarios.schema import json_schema
from reference.schemas import sections

_OPENING = """# Scenario files

YAML, or JSON in a file so named. A key that is unknown is an error that names the nearest one.
Times and rates carry their unit. [Faults](#faults) may stand in the scenario or in a file of
their own, whose path then stands in the scenario; [Deployment](#deployment) is what stands
under `real`. This page is made of the JSON Schema `experiments/scenarios/schema.json`, with
which an editor can complete and check a scenario as it is written.
"""


def page() -> str:
    """Return the page."""
    return f"{_OPENING}\n{sections(json_schema(), 'Scenario')}"
