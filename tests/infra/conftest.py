"""Where things are, and what an API of the app may be called by."""

import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INFRA = REPOSITORY / "infra"
SAMPLES = INFRA / "samples"


@pytest.fixture(scope="session")
def routes() -> dict[str, set[str]]:
    """Route under /api, without the host's constraints, and its methods."""
    found: dict[str, set[str]] = {}
    for file in (REPOSITORY / "function-definitions").glob("*/function.json"):
        for binding in json.loads(file.read_text())["bindings"]:
            if binding["type"] == "httpTrigger":
                route = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", binding["route"])
                found.setdefault(route, set()).update(binding["methods"])
    return found
