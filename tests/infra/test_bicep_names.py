"""The check of names finds what it is there to find."""

import sys

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "tools"))
import bicep_names

MODULE = "param one string\nparam two string = 'x'\noutput three string = '${one}${two}'\n"
GOOD = """param names array
module m 'module.bicep' = [for (name, index) in names: {
  name: '${name}-${index}'
  params: {
    one: name
  }
}]
output all string = m[0].outputs.three
"""


def check(tmp_path, capsys, main: str) -> tuple[int, str]:
    (tmp_path / "module.bicep").write_text(MODULE)
    (tmp_path / "main.bicep").write_text(main)
    return bicep_names.main(str(tmp_path)), capsys.readouterr().out


def test_files_that_fit_pass(tmp_path, capsys):
    assert check(tmp_path, capsys, GOOD) == (0, "bicep names: 2 files, 0 faults\n")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("one: name", "one: naem", "value naem is not known"),
        ("one: name", "uno: name", "module.bicep has no parameter uno"),
        ("one: name", "two: name", "module.bicep needs the parameter one"),
        ("one: name", "one: toUper(name)", "function toUper is not known"),
        ("in names", "in []", "parameter names is not used"),
        ("module.bicep", "modul.bicep", "there is no module modul.bicep"),
        ("one: name", "one: loadTextContent('none.json')", "there is no file none.json"),
    ],
)
def test_faults_are_found(tmp_path, capsys, old, new, what):
    status, output = check(tmp_path, capsys, GOOD.replace(old, new, 1))
    assert status == 1 and what in output


def test_an_output_that_is_not_there_is_found(tmp_path, capsys):
    status, output = check(
        tmp_path, capsys, "module m 'module.bicep' = {\n  name: 'm'\n  params: {\n    one: ''\n  }\n}\noutput x string = m.outputs.four\n"
    )
    assert status == 1 and "module.bicep has no output four" in output
