"""azure.yaml, the parameters file, the roles and the storage fit what they deploy."""

import json
import re

import yaml
from conftest import INFRA, REPOSITORY

AZURE = yaml.safe_load((REPOSITORY / "azure.yaml").read_text())
MAIN = (INFRA / "main.bicep").read_text()
APP = (INFRA / "modules" / "function-app.bicep").read_text()
STORAGE = (INFRA / "modules" / "storage.bicep").read_text()
TASK = (REPOSITORY / "task").read_text()


def test_azd_deploys_what_the_package_task_makes():
    (name, service), = AZURE["services"].items()
    assert f"'azd-service-name': '{name}'" in APP
    assert (service["host"], service["language"]) == ("function", "custom")
    assert service["hooks"]["prepackage"]["run"] == "./task package"
    assert service["dist"] == "target/package" and '"$target/package"' in TASK
    assert re.fullmatch(r"[a-z0-9][-a-z0-9]*[a-z0-9]", AZURE["name"])


def test_azd_finds_the_template_and_its_resource_group():
    infra = AZURE["infra"]
    assert (REPOSITORY / infra["path"] / f"{infra['module']}.bicep").is_file()
    assert "output AZURE_RESOURCE_GROUP string" in MAIN


def test_the_parameters_file_gives_parameters_that_there_are():
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    declared = dict(re.findall(r"^param (\w+) \w+( = )?", MAIN, re.MULTILINE))
    assert set(given) <= set(declared)
    assert {name for name, default in declared.items() if not default} <= set(given)


def test_the_host_package_root_is_where_the_binary_is_expected():
    host = json.loads((REPOSITORY / "host.json").read_text())
    assert host["customHandler"]["description"]["defaultExecutablePath"] == "handler"
    assert re.search(r"runtime: {\s+name: 'custom'", APP)


def listed(variable):
    words = re.search(rf"{variable}(?: =|:) \[(.*?)\]", STORAGE, re.DOTALL)[1].split()
    return {word.strip("'") for word in words}


def test_storage_holds_what_the_functions_use_with_the_poison_queues_of_the_host_and_forgets_it():
    files = (REPOSITORY / "function-definitions").glob("*/function.json")
    bindings = [binding for file in files for binding in json.loads(file.read_text())["bindings"]]
    triggers = {b["queueName"] for b in bindings if b["type"] == "queueTrigger"}
    poison = {f"{queue}-poison" for queue in triggers if not queue.endswith("-poison")}
    written = {b["queueName"] for b in bindings if b["type"] == "queue"}
    assert listed("var queueNames") == triggers | poison | written
    containers = {b["path"].split("/")[0] for b in bindings if b["type"] == "blob"}
    assert listed("var containerNames") == containers | {"packages"}
    assert {prefix.rstrip("/") for prefix in listed("prefixMatch")} == containers


def test_storage_has_no_keys_and_closes_when_private():
    assert "allowSharedKeyAccess: false" in STORAGE
    assert "publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'" in STORAGE
    assert "defaultAction: privateOnly ? 'Deny' : 'Allow'" in STORAGE
    assert "privateOnly: privateNetworking" in MAIN


def test_callers_are_let_in_by_default_and_shut_out_once_some_are_named():
    assert "ipSecurityRestrictionsDefaultAction: empty(allowedAddresses) && empty(allowedServiceTags) ? 'Allow' : 'Deny'" in APP


def test_settings_of_the_app_are_settings_the_app_knows():
    known = (REPOSITORY / "README.md").read_text()
    for name in re.findall(r"name: '(EGRESS_\w+)'", APP):
        assert f"`{name}`" in known, name


def test_the_probe_role_is_apart_and_off():
    reader = set(json.loads((INFRA / "role-actions.json").read_text()))
    probe = set(json.loads((INFRA / "probe-actions.json").read_text()))
    assert probe and not reader & probe
    assert "Microsoft.ContainerService/managedClusters/runCommand/action" in probe
    assert not [action for action in probe if action.endswith(("/write", "/delete")) or "*" in action]
    assert "param probeRole bool = false" in MAIN
    # Both templates give the same roles.
    both = [(INFRA / name).read_text() for name in ("management-group.bicep", "modules/roles-on-subscription.bicep")]
    definitions = [
        re.search(r"var endpointsRead.*?resource definitions", text, re.DOTALL)[0].replace("'../", "'") for text in both
    ]
    assert definitions[0] == definitions[1]
