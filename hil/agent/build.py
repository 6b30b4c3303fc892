# SPDX-License-Identifier: MIT
"""The agent's binary for an architecture: compiled once, then taken from the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from hil import cache, directories, programs, resources
from hil.arch import Architecture
from hil.errors import BenchError

# The guest has no C library. Apart from the other flags, because sanitizers cannot be linked that way.
LINK = ("-static",)


def agent_binary(arch: Architecture) -> Path:
    """The path of the statically linked agent for `arch`; raises BenchError when its compiler is missing or fails."""
    compiler = shutil.which(arch.gcc)
    if compiler is None:
        raise BenchError(
            f"no C compiler for {arch}: {arch.gcc} is not installed",
            remedy=f"install the Debian package {arch.gcc_package}",
        )
    sources = resources.folder("guest")
    folder = directories.cache() / "agent" / _digest(sources, compiler) / arch.name
    binary = folder / "hil-agent"
    cache.ensure(folder, lambda new: compile_agent(compiler, new / binary.name, sources, *LINK))
    return binary


def compile_agent(compiler: str, output: Path, sources: Path, *extra: str) -> None:
    """Compile the agent into `output`, with `extra` flags after the common ones (the file `flags` beside the sources).

    Raises BenchError, with the compiler's messages, when it fails.
    """
    files = sorted(str(path) for path in sources.glob("*.c"))
    command = [compiler, f"@{sources / 'flags'}", *extra, "-o", str(output), *files]
    done = programs.run(command, environment=os.environ)
    if done.returncode:
        raise BenchError(
            f"the agent cannot be compiled: {compiler} ended with status {done.returncode}",
            remedy="see its messages; a missing C library is in the packages libc6-dev and libc6-dev-*-cross",
            details=done.stderr,
        )


def _digest(sources: Path, compiler: str) -> str:
    """A digest of all that the binary is made from: sources, flags and the compiler's version."""
    digest = hashlib.sha256()
    for path in sorted([*sources.glob("*.[ch]"), sources / "flags"]):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    digest.update(version + " ".join(LINK).encode())
    return digest.hexdigest()[:16]
