"""Fails when Bicep files do not fit together: a name nobody declares or nobody uses, a module call that does not match
the module's parameters, an output the module does not have, a loaded file that is not there.

The Bicep compiler would say so too, but it is in no package registry. `file:line:column: what`, one line each.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

PARSER = Parser(Language(tree_sitter_bicep.language()))

# Functions of the language, as far as they are used here.
FUNCTIONS = {
    "concat", "contains", "deployment", "empty", "environment", "guid", "newGuid", "join", "json", "last", "listKeys",
    "loadJsonContent", "loadTextContent", "managementGroup", "replace", "resourceGroup", "resourceId", "split", "string",
    "subscription", "subscriptionResourceId", "take", "tenant", "toLower", "union", "uniqueString",
}  # fmt: skip
DECORATORS = {"allowed", "description", "maxLength", "maxValue", "minLength", "minValue", "secure"}
DECLARATIONS = {
    "parameter_declaration": "parameter",
    "variable_declaration": "variable",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


@dataclass
class File:
    """What one Bicep file offers and uses."""

    path: Path
    declared: dict[str, Node] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    parameters: dict[str, bool] = field(default_factory=dict)  # name: whether it has a default
    modules: dict[str, Node] = field(default_factory=dict)
    root: Node | None = None


def text(node: Node) -> str:
    return node.text.decode()


def literal(node: Node) -> str | None:
    """The value of a string without interpolation."""
    if node.type != "string" or any(child.type == "interpolation" for child in node.named_children):
        return None
    return "".join(text(child) for child in node.named_children)


def below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.named_children:
        yield from below(child)


def read(path: Path) -> File:
    file = File(path, root=PARSER.parse(path.read_bytes()).root_node)
    for node in file.root.named_children:
        if node.type not in DECLARATIONS:
            continue
        identifier = next(child for child in node.named_children if child.type == "identifier")
        name = text(identifier)
        if node.type == "output_declaration":
            file.outputs.add(name)
            continue
        file.declared[name] = identifier
        if node.type == "parameter_declaration":
            file.parameters[name] = any(child.type == "=" for child in node.children)
        if node.type == "module_declaration":
            file.modules[name] = node
    return file


def names_bound(node: Node) -> set[str]:
    """Loop variables that hold within `node`."""
    if node.type != "for_statement":
        return set()
    variables = node.named_children[0]
    return {text(variables)} if variables.type == "identifier" else {text(child) for child in variables.named_children}


def is_called(node: Node) -> bool:
    """The grammar takes a call at the start of an array's line for a name and a parenthesis; the text tells."""
    root = node
    while root.parent is not None:
        root = root.parent
    return root.text[node.end_byte - root.start_byte :][:1] == b"("


def uses(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tuple[Node, str]]:
    """Every name an expression refers to, and whether as `function`, `decorator` or `value`."""
    bound = bound | names_bound(node)
    if node.type == "decorator":
        called = next(child for child in below(node) if child.type == "identifier")
        yield called, "decorator"
        return
    children = list(node.named_children)
    if node.type in (*DECLARATIONS, "object_property", "for_statement"):
        children = children[1:]  # the name itself
    for child in children:
        if child.type == "identifier":
            if is_called(child):
                yield child, "function"
            elif text(child) not in bound:
                yield child, "value"
        elif child.type not in ("type", "property_identifier"):
            yield from uses(child, bound)


def faults_of_names(file: File) -> Iterator[tuple[Node, str]]:
    used = set()
    for node, kind in uses(file.root):
        name = text(node)
        known = {"function": FUNCTIONS, "decorator": DECORATORS, "value": file.declared}[kind]
        if name not in known:
            yield node, f"{kind} {name} is not known"
        elif kind == "value":
            used.add(name)
    for name, node in file.declared.items():
        kind = DECLARATIONS[node.parent.type]
        if name not in used and kind in ("parameter", "variable"):
            yield node, f"{kind} {name} is not used"


def parameters_of_call(call: Node) -> dict[str, Node]:
    for node in below(call):
        if node.type == "object_property" and text(node.named_children[0]) == "params":
            return {text(item.named_children[0]): item for item in node.named_children[1].named_children}
    return {}


def faults_of_modules(file: File, files: dict[Path, File]) -> Iterator[tuple[Node, str]]:
    targets: dict[str, File] = {}
    for name, call in file.modules.items():
        path = (file.path.parent / literal(call.named_children[1])).resolve()
        if path not in files:
            yield call, f"there is no module {literal(call.named_children[1])}"
            continue
        target = targets[name] = files[path]
        given = parameters_of_call(call)
        for parameter, node in given.items():
            if parameter not in target.parameters:
                yield node, f"{target.path.name} has no parameter {parameter}"
        for parameter, has_default in target.parameters.items():
            if parameter not in given and not has_default:
                yield call, f"{target.path.name} needs the parameter {parameter}"
    for node in below(file.root):
        found = re.fullmatch(r"(\w+)!?\.outputs\.(\w+)", text(node)) if node.type == "member_expression" else None
        if found and found[1] in targets and found[2] not in targets[found[1]].outputs:
            yield node, f"{targets[found[1]].path.name} has no output {found[2]}"


def faults_of_loads(file: File) -> Iterator[tuple[Node, str]]:
    for node in below(file.root):
        if node.type != "call_expression" or text(node.named_children[0]) not in ("loadJsonContent", "loadTextContent"):
            continue
        name = literal(node.named_children[1].named_children[0])
        if name is None or not (file.path.parent / name).is_file():
            yield node, f"there is no file {name}"


def main(folder: str) -> int:
    files = {path.resolve(): read(path) for path in sorted(Path(folder).rglob("*.bicep"))}
    bad = 0
    for file in files.values():
        for node, what in (*faults_of_names(file), *faults_of_modules(file, files), *faults_of_loads(file)):
            line, column = node.start_point
            print(f"{file.path}:{line + 1}:{column + 1}: {what}")
            bad += 1
    print(f"bicep names: {len(files)} files, {bad} faults")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
