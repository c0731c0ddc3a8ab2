"""The PowerShell samples parse, keep to what Windows PowerShell 5.1 knows, and call what there is."""

import re

import pytest
import tree_sitter_powershell
from conftest import SAMPLES
from tree_sitter import Language, Node, Parser

PARSER = Parser(Language(tree_sitter_powershell.language()))
SCRIPTS = sorted((SAMPLES / "runbooks").glob("*.ps1"))

# Parameters that came after Windows PowerShell 5.1, and commands that Azure Automation or 5.1 do not have.
NEWER = re.compile(r"-(SkipHttpErrorCheck|AsHashtable|Authentication|Token|StatusCodeVariable|Parallel)\b", re.IGNORECASE)


def below(node: Node):
    yield node
    for child in node.children:
        yield from below(child)


def faults(source: bytes) -> list[str]:
    """What Windows PowerShell 5.1 would not understand."""
    found = []
    for node in below(PARSER.parse(source).root_node):
        line = node.start_point[0] + 1
        if node.is_error or node.is_missing:
            found.append(f"line {line}: syntax")
        elif node.type == "pipeline_chain_tail":
            found.append(f"line {line}: && and || came with PowerShell 7")
        elif node.type == "command_parameter" and NEWER.fullmatch(node.text.decode()):
            found.append(f"line {line}: {node.text.decode()} is newer than 5.1")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "if ($a { }",
        "$a = $b ?? 1",
        "$a = $b ? 1 : 2",
        "Get-Item . && Get-Item ..",
        "$a?.b",
        "'unterminated",
        "Invoke-RestMethod -Uri $u -SkipHttpErrorCheck",
    ],
)
def test_what_5_1_does_not_know_is_found(source):
    assert faults(source.encode())


def test_there_are_the_runbooks():
    assert {script.name for script in SCRIPTS} == {"Get-EgressDiagnosis.ps1", "Receive-EgressAlert.ps1"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
class TestScript:
    def test_windows_powershell_understands_it(self, script):
        assert faults(script.read_bytes()) == []

    def test_it_is_plain_ascii(self, script):
        # Windows PowerShell reads a file without a byte order mark in the machine's own code page.
        assert script.read_bytes().isascii()

    def test_it_calls_routes_that_exist(self, script, routes):
        source = script.read_text()
        called = re.findall(r"-Method (\w+) -Uri \(\$ApiUrl\.TrimEnd\('/'\) \+ '/([^']+)'\)", source)
        assert len(called) == source.count("$ApiUrl.TrimEnd") == 1
        for method, route in called:
            assert method.lower() in routes[route]

    def test_errors_end_it(self, script):
        assert "$ErrorActionPreference = 'Stop'" in script.read_text()

    def test_each_parameter_is_described_and_used(self, script):
        source = script.read_text()
        block = source[source.index("[CmdletBinding()]") : source.index("$ErrorActionPreference")]
        names = re.findall(r"^    (?:\[[^\n]*\] )+\$(\w+)", block, re.MULTILINE)
        assert names
        for name in names:
            assert f".PARAMETER {name}\n" in source, name
            assert f"${name}" in source.replace(block, ""), name


def test_blocked_egress_fails_the_runbook_after_the_verdict_is_printed():
    source = (SAMPLES / "runbooks" / "Get-EgressDiagnosis.ps1").read_text()
    printed = source.index("$report.verdict.headline")
    assert "if ($report.verdict.status -eq 'blocked') { throw " in source[printed:]
