"""The simulated Azure, served by the built handler, and two clients of it: `az` and our own report."""

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HANDLER = os.environ["HANDLER"]
AZ = os.environ["AZ"]


@dataclass
class Sandbox:
    """What `handler sandbox` printed: settings for other clients, and the clusters by scenario name."""

    settings: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def sandbox():
    process = subprocess.Popen([HANDLER, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        yield read_settings(process.stdout)
    finally:
        process.terminate()
        process.wait(timeout=30)


def read_settings(lines) -> Sandbox:
    """Reads until the list of clusters is over: the sandbox goes on serving and prints nothing more."""
    found = Sandbox()
    done = threading.Event()

    def read():
        name = None
        for line in lines:
            if match := re.match(r"export (\w+)='(.*)'$", line):
                found.settings[match[1]] = match[2]
            elif match := re.match(r"# ([\w-]+): ", line):
                name = match[1]
            elif name and (match := re.match(r"#\s+(/subscriptions/\S+)$", line)):
                found.clusters[name] = match[1]
                if name in AWAITED and AWAITED <= found.clusters.keys():
                    done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(timeout=60), f"the sandbox did not name {sorted(AWAITED - found.clusters.keys())}"
    return found


# The scenarios the tests are about.
SCENARIOS = {
    "loadBalancer": ["healthy-lb-overlay", "snat-exhausted-one-node"],
    "managedNATGateway": ["healthy-managed-nat", "connections-failing"],
    "userAssignedNATGateway": ["healthy-user-nat", "nat-missing-on-one-subnet"],
    "userDefinedRouting": ["healthy-udr-firewall", "firewall-snat-exhausted"],
    "none": ["isolated-none"],
}
# Those about the nodes.
PRESSED = ["node-cpu-peak", "os-disk-throttled"]
AWAITED = {scenario for scenarios in SCENARIOS.values() for scenario in scenarios} | set(PRESSED)


@pytest.fixture(scope="session")
def az(sandbox, tmp_path_factory):
    """Runs an az command against the sandbox, signed in with its managed identity; gives its answer as read from JSON."""
    home = tmp_path_factory.mktemp("azure")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AZURE_CONFIG_DIR": str(home / "config"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
        "REQUESTS_CA_BUNDLE": str(bundle(home, sandbox)),
        "IDENTITY_ENDPOINT": sandbox.settings["IDENTITY_ENDPOINT"],
        "IDENTITY_HEADER": sandbox.settings["IDENTITY_HEADER"],
    }

    def run(*arguments: str):
        result = subprocess.run(
            [AZ, *arguments, "--output", "json"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert result.returncode == 0, f"az {' '.join(arguments)}\n{result.stderr}"
        return json.loads(result.stdout) if result.stdout.strip() else None

    endpoint = sandbox.settings["EGRESS_ARM_ENDPOINT"].rstrip("/") + "/"
    endpoints = [
        "resource-manager",
        "active-directory",
        "active-directory-resource-id",
        "management",
        "active-directory-graph-resource-id",
        "microsoft-graph-resource-id",
    ]
    options = [part for name in endpoints for part in (f"--endpoint-{name}", endpoint)]
    run("cloud", "register", "--name", "sandbox", *options, "--skip-endpoint-discovery")
    run("cloud", "set", "--name", "sandbox")
    run("login", "--identity")
    return run


def bundle(home: Path, sandbox: Sandbox) -> Path:
    """The authorities az trusts: the public ones, as it needs them to start, and the sandbox's certificate."""
    python = Path(AZ).parent / "python"
    certifi = subprocess.run([python, "-m", "certifi"], capture_output=True, text=True, check=True).stdout.strip()
    path = home / "authorities.pem"
    path.write_text(Path(certifi).read_text() + Path(sandbox.settings["SSL_CERT_FILE"]).read_text())
    return path


@pytest.fixture(scope="session")
def report(sandbox):
    """Our own report on the cluster of a scenario, made by the built binary with the printed settings."""
    return asked(sandbox, "report")


@pytest.fixture(scope="session")
def pressure(sandbox):
    """The same for its nodes and their disks, looked at closely."""
    return asked(sandbox, "pressure")


def asked(sandbox: Sandbox, command: str):
    """Asks once for each scenario."""
    made = {}

    def run(scenario: str):
        if scenario not in made:
            result = subprocess.run(
                [HANDLER, command, sandbox.clusters[scenario], "--format", "json"],
                env={"PATH": os.environ["PATH"], **sandbox.settings},
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert result.returncode in (0, 1, 2), result.stderr
            made[scenario] = json.loads(result.stdout)
        return made[scenario]

    return run
