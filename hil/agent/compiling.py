# SPDX-License-Identifier: MIT
"""How the agent is compiled. Only Python's own library is imported: the build of the wheel uses it, too."""

from __future__ import annotations

import hashlib
from pathlib import Path

NAME = "hil-agent"
"""The name of the binary."""
SOURCES = "sources.sha256"
"""The name of the file, beside binaries that come with the wheel, with the digest of what they were made from."""

# The guest has no C library. Apart from the other flags, because sanitizers cannot be linked that way.
LINK = ("-static",)


def command(compiler: str, output: Path, sources: Path, *extra: str) -> list[str]:
    """The command that compiles the agent into `output`, with `extra` flags after the common ones (the file `flags`
    beside the sources)."""
    files = sorted(str(path) for path in sources.glob("*.c"))
    return [compiler, f"@{sources / 'flags'}", *extra, "-o", str(output), *files]


def digest(sources: Path) -> str:
    """The sha256 of sources and flags."""
    found = hashlib.sha256(" ".join(LINK).encode())
    for path in sorted([*sources.glob("*.[ch]"), sources / "flags"]):
        found.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return found.hexdigest()
