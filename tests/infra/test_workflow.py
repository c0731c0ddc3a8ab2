"""The Logic App's workflow: its parts refer to each other rightly, and it calls what there is."""

import json
import re

import pytest
from conftest import SAMPLES

WORKFLOW = json.loads((SAMPLES / "logic-app" / "workflow.json").read_text())
BICEP = (SAMPLES / "logic-app" / "main.bicep").read_text()
ENDS = {"Succeeded", "Failed", "Skipped", "TimedOut"}


def scopes(actions: dict):
    """Every list of actions, the inner ones too."""
    yield actions
    for action in actions.values():
        yield from scopes(action.get("actions", {})) if "actions" in action else ()


def everything(actions: dict) -> dict:
    return {name: action for scope in scopes(actions) for name, action in scope.items()}


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


EXPRESSIONS = [text for text in strings(WORKFLOW) if text.startswith("@")]
ACTIONS = everything(WORKFLOW["actions"])
CALLS = {name: action["inputs"] for name, action in ACTIONS.items() if action["type"] == "Http"}


def test_actions_run_after_actions_of_their_own_scope():
    for scope in scopes(WORKFLOW["actions"]):
        firsts = [name for name, action in scope.items() if not action["runAfter"]]
        assert len(firsts) == 1, "one action begins"
        for action in scope.values():
            for predecessor, ends in action["runAfter"].items():
                assert predecessor in scope
                assert set(ends) <= ENDS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_closed_and_refer_to_what_there_is(expression):
    bare = re.sub(r"'(?:[^']|'')*'", "", expression)
    assert "'" not in bare, "a text is not closed"
    for opening, closing in ("()", "[]"):
        assert bare.count(opening) == bare.count(closing)
    for function, name in re.findall(r"(body|outputs|parameters)\('([^']+)'\)", expression):
        assert name in (WORKFLOW["parameters"] if function == "parameters" else ACTIONS)


def test_every_parameter_is_used_and_given():
    used = {name for text in EXPRESSIONS for name in re.findall(r"parameters\('([^']+)'\)", text)}
    assert used == set(WORKFLOW["parameters"])
    for name in WORKFLOW["parameters"]:
        assert re.search(rf"{name}: {{\s+value: {name}\n", BICEP), name


def test_secrets_stay_secret():
    for name in ("functionKey", "teamsUrl"):
        assert WORKFLOW["parameters"][name]["type"] == "SecureString"
        assert f"@secure()\nparam {name} string" in BICEP
    for name in CALLS:
        assert ACTIONS[name]["runtimeConfiguration"]["secureData"]["properties"] == ["inputs"], name


def test_it_asks_then_waits_then_posts(routes):
    ask = CALLS["Ask_for_a_diagnosis"]
    assert ask["uri"] == "@concat(parameters('apiUrl'), '/diagnoses')"
    assert ask["method"].lower() in routes["diagnoses"]
    assert set(ask["body"]) == {"clusterId"}
    poll = CALLS["Ask_whether_it_is_done"]
    assert poll["method"].lower() in routes["diagnoses/{id}"]
    assert poll["uri"] == "@outputs('Ask_for_a_diagnosis')['headers']['Location']"
    # The platform's own polling is switched off: it is not known to repeat the key.
    for name in ("Ask_for_a_diagnosis", "Ask_whether_it_is_done"):
        assert ACTIONS[name]["operationOptions"] == "DisableAsyncPattern"
        assert CALLS[name]["headers"]["x-functions-key"] == "@parameters('functionKey')"


def test_whatever_happens_something_is_posted():
    waits = "Until_it_is_done"
    after = [set(action["runAfter"].get(waits, [])) for action in WORKFLOW["actions"].values()]
    assert set().union(*after) == ENDS
    for name in ("Post_to_Teams", "Say_that_it_failed"):
        card = CALLS[name]["body"]["attachments"][0]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert card["content"]["type"] == "AdaptiveCard"
        for item in card["content"]["body"]:
            # Text blocks read Markdown: a name could become a link.
            assert item["type"] == "RichTextBlock"
            assert all(run["type"] == "TextRun" and run["text"] for run in item["inlines"])


def test_only_alerts_that_fire_and_name_their_cluster_start_it():
    conditions = " ".join(item["expression"] for item in WORKFLOW["triggers"]["alert"]["conditions"])
    assert "'monitorCondition'" in conditions and "'Fired'" in conditions
    assert "'customProperties'" in conditions and "'clusterResourceId'" in conditions
