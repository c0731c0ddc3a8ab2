"""Writes the deployment package: host.json, the binary and the function folders side by side.

    pack.py HANDLER FOLDER ZIP

The same input gives the same bytes, whoever packs it, when and where: entries are in order, carry one fixed time and the
mode the host needs, and nothing else. FOLDER holds the same files, for tools that make the archive themselves.
"""

import hashlib
import shutil
import stat
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# The oldest time the format can hold.
TIME = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o755
PLAIN = 0o644


def files(repository: Path, handler: Path) -> list[tuple[str, Path, int]]:
    """Name in the package, source and mode of every file, in the package's order."""
    found = [("host.json", repository / "host.json", PLAIN), ("handler", handler, EXECUTABLE)]
    # The host looks for function.json in the direct sub-folders of the app's root only.
    for folder in (repository / "function-definitions").iterdir():
        for file in folder.iterdir():
            if file.name != "function.json":
                # The host would take it for the function's script.
                raise SystemExit(f"{file}: only function.json belongs into a function's folder")
            found.append((f"{folder.name}/{file.name}", file, PLAIN))
    return sorted(found)


def archive(entries: list[tuple[str, Path, int]], target: Path) -> None:
    with zipfile.ZipFile(target, "w") as package:
        for name, source, mode in entries:
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system = 3  # Unix: the mode counts
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, source.read_bytes(), compresslevel=9)


def folder(entries: list[tuple[str, Path, int]], target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for name, source, mode in entries:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        copy.chmod(mode)


def main(handler: str, unpacked: str, packed: str) -> None:
    entries = files(REPOSITORY, Path(handler))
    folder(entries, Path(unpacked))
    archive(entries, Path(packed))
    content = Path(packed).read_bytes()
    print(f"{packed}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    print(f"  of it the binary, unpacked: {Path(handler).stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
