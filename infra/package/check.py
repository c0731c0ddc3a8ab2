"""Checks a deployment package: what the binary needs of the system, what it tells of the machine that built it, and
that it starts as the Functions host starts it.

    check.py ZIP GLIBC [FORBIDDEN...]

GLIBC is the oldest C library the binary must run on, e.g. 2.17. FORBIDDEN texts (paths of the building machine) must not
be in the binary.
"""

import http.client
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from unpack import unpack

# The C library's own parts; everything else must be in the binary.
SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"}


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def binary_faults(handler: Path, glibc: str, forbidden: list[str]):
    with handler.open("rb") as file:
        elf = ELFFile(file)
        if (elf["e_machine"], elf.elfclass) != ("EM_X86_64", 64):
            yield f"built for {elf['e_machine']}, {elf.elfclass} bit; the host is 64-bit x86"
        needed, newest = set(), (0,)
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                needed |= {tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
            if isinstance(section, GNUVerNeedSection):
                for _, symbols in section.iter_versions():
                    for symbol in symbols:
                        if symbol.name.startswith("GLIBC_"):
                            newest = max(newest, version(symbol.name.removeprefix("GLIBC_")))
        for library in sorted(needed - SYSTEM):
            yield f"needs {library}, which the host may not have"
        if newest > version(glibc):
            yield f"needs GLIBC_{'.'.join(map(str, newest))}, newer than {glibc}"
        print(f"needs at most GLIBC_{'.'.join(map(str, newest))} of {', '.join(sorted(needed))}")
    content = handler.read_bytes()
    for text in forbidden:
        if text.encode() in content:
            yield f"tells of the building machine: {text}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def start_faults(root: Path):
    port = free_port()
    environment = {"FUNCTIONS_CUSTOMHANDLER_PORT": str(port), "FUNCTIONS_APP_ROOT_PATH": str(root)}
    with subprocess.Popen([root / "handler", "serve"], cwd=root, env=environment, stdout=subprocess.DEVNULL) as handler:
        try:
            deadline = time.monotonic() + 30  # the host's own patience
            while (ready := answer(port, "/")) is None and handler.poll() is None and time.monotonic() < deadline:
                time.sleep(0.025)
            if ready is None:
                yield f"does not answer (exit code {handler.poll()})"
            elif (health := answer(port, "/api/health")) != 200:
                yield f"/api/health answers {health}"
        finally:
            handler.kill()


def main(package: str, glibc: str, forbidden: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        unpack(package, root)
        faults = [*binary_faults(root / "handler", glibc, forbidden), *start_faults(root)]
    for fault in faults:
        print(f"{package}: the binary {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
