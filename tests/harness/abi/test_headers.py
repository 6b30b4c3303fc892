# SPDX-License-Identifier: MIT
"""Numbers and layouts against the headers each architecture's compiler sees."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hil.arch import Architecture, architectures
from tests.harness.abi.headers import Claim, FlagClaim, claims, program

ARCHITECTURES = tuple(architectures().values())


def compiled(arch: Architecture, wanted: Sequence[Claim]) -> subprocess.CompletedProcess[str]:
    """What the compiler says of the claims; skips where there is no compiler."""
    if shutil.which(arch.gcc) is None:
        pytest.skip(f"no {arch.gcc} here; package {arch.gcc_package} has it")
    command = [
        arch.gcc,
        "-std=c11",
        "-O1",
        "-fmax-errors=0",
        "-fno-diagnostics-show-caret",
        "-S",
        "-o",
        "/dev/null",
        "-x",
        "c",
        "-",
    ]
    return subprocess.run(command, input=program(wanted), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arch", ARCHITECTURES, ids=str)
def test_every_number_and_layout_is_the_headers(arch: Architecture) -> None:
    wanted = tuple(claims(arch.name))
    assert len(wanted) > 200
    done = compiled(arch, wanted)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arch", ARCHITECTURES, ids=str)
def test_every_wrong_number_is_found(arch: Architecture) -> None:
    """Each claim, spoilt, is an error of its own."""
    wanted = [replace(claim, value=claim.value + 1) for claim in claims(arch.name) if not claim.defined]
    flags = [claim for claim in wanted if isinstance(claim, FlagClaim)]
    others = [claim for claim in wanted if not isinstance(claim, FlagClaim)]
    for spoilt in (flags, others):  # the compiler optimises nothing where it found errors before
        done = compiled(arch, spoilt)
        assert done.returncode != 0
        missed = [claim.expression for claim in spoilt if f'"{claim.expression}"' not in done.stderr]
        assert not missed
