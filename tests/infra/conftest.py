"""Where things are, and what an API of the app may be called by."""

import json
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INFRA = REPOSITORY / "infra"
SAMPLES = INFRA / "samples"

# Functions that callers may rely on before their folder is there.
CONTRACTED = {"alerts": {"post"}, "diagnoses": {"post"}, "diagnoses/{id}": {"get"}}


@pytest.fixture(scope="session")
def routes() -> dict[str, set[str]]:
    """Route under /api and its methods."""
    found = dict(CONTRACTED)
    for file in (REPOSITORY / "function-definitions").glob("*/function.json"):
        for binding in json.loads(file.read_text())["bindings"]:
            if binding["type"] == "httpTrigger":
                found[binding["route"]] = set(binding["methods"])
    return found
