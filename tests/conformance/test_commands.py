"""Every command our reports print is one that az accepts: its own parser and validators, without running it."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import firewall_extension
import pytest

ROOT = Path(__file__).parents[2]
AZ = os.environ["AZ"]

# What remediations may ask a person to run beside az.
OTHER_TOOLS = {"curl", "kubectl", "nc", "nslookup", "openssl", "traceroute"}

# The group of commands that az gets from an extension, which cannot be installed from a package index.
EXTENSION = "az network firewall "

# Words that stand for what the report cannot know; the remediation itself says what to put there.
NETWORK = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network"
PLACEHOLDERS = {
    "FIREWALL_PRIVATE_IP": "10.0.0.4",
    "NEW_NAME": "new",
    "NEW_SUBNET_ID": f"{NETWORK}/virtualNetworks/vnet/subnets/nodes",
    "NAT_GATEWAY_ID": f"{NETWORK}/natGateways/ng",
    "NETWORK_ID": f"{NETWORK}/virtualNetworks/hub",
    "ROUTE_TABLE_ID": f"{NETWORK}/routeTables/rt",
}

# Addresses for documentation stand for public ones in the scenarios, and az refuses them as reserved.
DOCUMENTATION = re.compile(r"\b(192\.0\.2|198\.51\.100|203\.0\.113)\.")


def remediations(value):
    """Everything in a report that has commands."""
    if isinstance(value, dict):
        if isinstance(value.get("commands"), list):
            yield value
        for inner in value.values():
            yield from remediations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from remediations(inner)


def is_command(text):
    """Whether it is a command line rather than a sentence, as an undo may be."""
    return text.split(" ", 1)[0] in OTHER_TOOLS | {"az"}


def reported():
    """Each distinct line of a report under `commands` and `undo`, with the report's file and the remediation around it."""
    found = {}
    for file in sorted((ROOT / "tests" / "snapshots").glob("*.report.snap")):
        report = json.loads(file.read_text().split("---\n", 2)[2])
        for remediation in remediations(report):
            for key in ("commands", "undo"):
                for line in remediation.get(key) or []:
                    found.setdefault((key, line), (file.name, remediation))
    return found


def documented():
    """Commands that a finding's page names; often without the arguments that only a report can fill in."""
    pages = sorted((ROOT / "docs" / "findings").glob("*.md"))
    return sorted({line for page in pages for line in re.findall(r"`(az [^`]+)`", page.read_text())})


def drawn():
    """Commands of plans as a terminal shows them."""
    files = sorted((ROOT / "handler" / "render" / "tests" / "snapshots").glob("*.snap"))
    return {line for file in files for line in re.findall(r"^ +\$ (.+)$", file.read_text(), re.MULTILINE)}


REPORTED = reported()
COMMANDS = sorted({line for key, line in REPORTED if key == "commands" or is_command(line)} | drawn())
DOCUMENTED = documented()
PROBES = [
    "az aks updates --resource-group rg --name aks",
    "az aks show --resource-group rg --name aks --outbound x",
    "az aks show --name aks",
    "az network nsg rule create --resource-group rg --nsg-name nsg --name r --priority high",
    "az network route-table route create --resource-group rg --route-table-name rt --name r --address-prefix 0.0.0.0/0 --next-hop-type Nowhere",
    "az network vnet subnet update --ids /subscriptions/none --remove natGateway",
    "az network firewall policy rules --name p --resource-group rg",
    "az network firewall policy update --name p",
    "az network firewall policy update --name p --resource-group rg --private-range 10.0.0.0/8",
    "az network firewall ip-config create --firewall-name fw --name c --resource-group rg --public-ip-address a b",
]


@pytest.fixture(scope="session")
def objections(tmp_path_factory):
    """What az has against each az command; all are asked in one process, as az takes seconds to start."""
    home = tmp_path_factory.mktemp("azure")
    lines = [line for line in COMMANDS + DOCUMENTED + PROBES if line.startswith("az ") and not line.startswith(EXTENSION)]
    subscriptions = {match for line in lines for match in re.findall(r"--subscription (\S+)", line)}
    account = {"name": "nobody", "type": "user"}
    known = [
        {"id": name, "name": name, "state": "Enabled", "tenantId": name, "isDefault": n == 0, "environmentName": "AzureCloud", "user": account}
        for n, name in enumerate(sorted(subscriptions))
    ]  # fmt: skip
    (home / "azureProfile.json").write_text(json.dumps({"subscriptions": known}))
    arguments = [shlex.split(DOCUMENTATION.sub("20.1.2.", line))[1:] for line in lines]
    arguments = [[PLACEHOLDERS.get(word, word) for word in words] for words in arguments]
    result = subprocess.run(
        [Path(AZ).parent / "python", Path(__file__).with_name("az_parse.py")],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "AZURE_CONFIG_DIR": str(home)},
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(lines, json.loads(result.stdout), strict=True))


def objection_to(objections, line):
    """What az, or the documented interface of an extension that it would install first, has against a command."""
    if line.startswith(EXTENSION):
        words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)]
        return firewall_extension.objection(words)
    return objections[line]


@pytest.mark.parametrize("line", COMMANDS)
def test_reported_command(objections, line):
    words = shlex.split(line)
    assert words[0] in OTHER_TOOLS | {"az"}, f"no tool that a remediation may name: {line}"
    if words[0] == "az":
        assert objection_to(objections, line) is None, line


@pytest.mark.parametrize("line", DOCUMENTED)
def test_documented_command(objections, line):
    objection = objection_to(objections, line)
    left_out = r"the following arguments are required|argument \S+: expected (one|at least one) argument"
    assert objection is None or re.match(left_out, objection), line


@pytest.mark.parametrize("line", PROBES)
def test_az_refuses_what_is_wrong(objections, line):
    assert objection_to(objections, line)


@pytest.mark.parametrize(("key", "line"), REPORTED)
def test_nothing_is_left_to_fill_in_silently(key, line):
    file, remediation = REPORTED[key, line]
    if not is_command(line):
        assert key == "undo" and line[0].isupper(), f"{file}: neither a command nor a sentence: {line}"
        return
    # A query may make objects; nothing is filled in there.
    assert not re.search(r"<[^>]*>|\$|\{|\}", re.sub(r"--query \S.*", "", line)), f"{file}: {line}"
    for word in re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", line):
        assert word in PLACEHOLDERS, f"{file}: {line}"
        told = [remediation["summary"], *remediation["sideEffects"]]
        named = (word, "in place of the words in capitals")
        assert any(name in text for name in named for text in told), f"{file}: nothing says what {word} is"
