"""The JSON Schema of scenario files, for editors that complete and check them as they are written.

``python -m experiments.scenarios.schema`` writes `schema.json` beside this file anew, from the
models in `experiments.scenarios.document`; a test fails where the two differ.
"""

import json
from pathlib import Path
from typing import Any

from experiments.scenarios.document import ScenarioDocument

SCHEMA = Path(__file__).with_name("schema.json")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario documents."""
    return ScenarioDocument.model_json_schema()


def main() -> None:
    """Write `SCHEMA` anew."""
    SCHEMA.write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
