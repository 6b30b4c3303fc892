# SPDX-License-Identifier: MIT
"""The loader of the tests, built as the agent is."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hil.arch import Architecture

SOURCE = Path(__file__).with_name("loader.c")


STAYING = 0.5
"""Nominal seconds instead of `harness.loader.running.SETTLE` where a process is left on purpose: it is there however
long one waits for what goes by itself."""


def built(arch: Architecture, folder: Path, *flags: str) -> Path:
    """Compiles it for `arch`, statically unless `flags` say otherwise."""
    program = folder / f"loader-{arch}"
    command = [arch.gcc, "-O2", "-Wall", "-Wextra", "-Werror", *(flags or ("-static",)), "-o", str(program)]
    subprocess.run([*command, str(SOURCE)], check=True)
    return program
