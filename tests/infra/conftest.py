"""Where things are, and what an API of the app may be called by."""

import json
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INFRA = REPOSITORY / "infra"
SAMPLES = INFRA / "samples"


@pytest.fixture(scope="session")
def routes() -> dict[str, set[str]]:
    """Route under /api and its methods."""
    found: dict[str, set[str]] = {}
    for file in (REPOSITORY / "function-definitions").glob("*/function.json"):
        for binding in json.loads(file.read_text())["bindings"]:
            if binding["type"] == "httpTrigger":
                found.setdefault(binding["route"], set()).update(binding["methods"])
    return found
