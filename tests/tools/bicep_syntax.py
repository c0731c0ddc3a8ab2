"""Fails when a Bicep file does not parse: one line per syntax error, `file:line:column: what`."""

import sys
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser


def errors(node: Node):
    """The outermost nodes the grammar could not read, in source order."""
    if node.is_error or node.is_missing:
        yield node
        return
    if node.has_error:
        for child in node.children:
            yield from errors(child)


def main(paths: list[str]) -> int:
    parser = Parser(Language(tree_sitter_bicep.language()))
    files = [file for path in paths for file in ([Path(path)] if Path(path).is_file() else sorted(Path(path).rglob("*.bicep")))]
    if not files:
        print(f"no Bicep files under {' '.join(paths)}", file=sys.stderr)
        return 1
    bad = 0
    for file in files:
        for node in errors(parser.parse(file.read_bytes()).root_node):
            line, column = node.start_point
            what = f"missing {node.type}" if node.is_missing else "syntax error"
            print(f"{file}:{line + 1}:{column + 1}: {what}")
            bad += 1
    print(f"bicep syntax: {len(files)} files, {bad} errors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
