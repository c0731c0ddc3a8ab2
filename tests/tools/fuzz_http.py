"""Asks a running handler, in front of the simulated Azure, what schemathesis makes of its own OpenAPI.

usage: fuzz_http.py SCHEMATHESIS HANDLER
No answer may be a 5xx, have a status or content type that is not documented, or a body that does not match its schema.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 60
SCENARIOS = ["healthy-lb-overlay", "nsg-denies-internet", "snat-exhausted-one-node", "firewall-denies-mcr", "throttled"]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]


def cluster(handler, scenario):
    command = [handler, "report", scenario, "--sandbox", "--format", "json"]
    report = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    return json.loads(report)["cluster"]["id"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url, server):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"the handler ended with {server.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/api/health"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit("the handler does not answer")


def main():
    schemathesis, handler = sys.argv[1:]
    clusters = ",".join(cluster(handler, scenario) for scenario in SCENARIOS)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [handler, "serve", "--sandbox", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(url, server)
        command = [
            schemathesis,
            "run",
            f"{url}/api/openapi.json",
            f"--checks={','.join(CHECKS)}",
            "--phases=examples,coverage,fuzzing",
            f"--max-time={SECONDS}",
            "--generation-deterministic",
            # A busy machine is no fault; a hang is one.
            "--request-timeout=60",
            "--suppress-health-check=all",
            "--warnings=off",
            "--no-color",
        ]
        tools = Path(__file__).resolve().parent
        environment = {
            **os.environ,
            "FUZZ_CLUSTERS": clusters,
            "SCHEMATHESIS_HOOKS": "fuzz_hooks",
            "PYTHONPATH": str(tools),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # It leaves files where it runs.
        with tempfile.TemporaryDirectory() as folder:
            code = subprocess.run(command, env=environment, cwd=folder, check=False).returncode
        if server.poll() is not None:
            sys.exit(f"the handler ended with {server.returncode}")
        sys.exit(code)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
