# SPDX-License-Identifier: MIT
"""The agent's binary for an architecture: the one that came with the wheel; else compiled once, then taken from the
cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from hil import cache, directories, programs, resources
from hil.agent import compiling
from hil.agent.compiling import LINK as LINK
from hil.arch import Architecture
from hil.errors import BenchError


def agent_binary(arch: Architecture) -> Path:
    """The path of the statically linked agent for `arch`; raises NotInstalled without its compiler, BenchError
    when that fails."""
    if ready := prebuilt(arch):
        return ready
    compiler = shutil.which(arch.gcc)
    if compiler is None:
        raise programs.NotInstalled(
            f"no C compiler for {arch}: {arch.gcc} is not installed",
            remedy=f"install the Debian package {arch.gcc_package}",
        )
    sources = resources.folder("guest")
    folder = directories.cache() / "agent" / _digest(sources, compiler) / arch.name
    binary = folder / compiling.NAME
    cache.ensure(folder, lambda new: compile_agent(compiler, new / binary.name, sources, *LINK))
    return binary


def prebuilt(arch: Architecture) -> Path | None:
    """The agent that came with the wheel; None in a checkout, and where it was made from other sources."""
    folder = resources.folder("agents")
    binary, sources = folder / arch.name / compiling.NAME, folder / compiling.SOURCES
    if not binary.exists() or sources.read_text().strip() != compiling.digest(resources.folder("guest")):
        return None
    return binary


def compile_agent(compiler: str, output: Path, sources: Path, *extra: str) -> None:
    """Compile the agent into `output`, with `extra` flags after the common ones (the file `flags` beside the sources).

    Raises BenchError, with the compiler's messages, when it fails.
    """
    done = programs.run(compiling.command(compiler, output, sources, *extra), environment=os.environ)
    if done.returncode:
        raise BenchError(
            f"the agent cannot be compiled: {compiler} ended with status {done.returncode}",
            remedy="see its messages; a missing C library is in the packages libc6-dev and libc6-dev-*-cross",
            details=done.stderr,
        )


def _digest(sources: Path, compiler: str) -> str:
    """A digest of all that the binary is made from: sources, flags and the compiler's version."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    return hashlib.sha256(version + compiling.digest(sources).encode()).hexdigest()[:16]
