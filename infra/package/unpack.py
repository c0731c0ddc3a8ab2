"""Unpacks a deployment package as the platform does, with each file's mode.

unpack.py ZIP FOLDER
"""

import sys
import zipfile
from pathlib import Path


def unpack(package: str, folder: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod(entry.external_attr >> 16 & 0o777)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    unpack(sys.argv[1], Path(sys.argv[2]))
